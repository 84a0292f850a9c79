//! The pages that integrators use: which operations there are, what they look like in each format, and
//! their types in several languages.
//!
//! Sources: the original's own pages, ServiceStack's metadata and "Add ServiceStack Reference" pages.
//! Called by the admin listener, and by the public one where the configuration says so. Promises: they
//! show nothing but what a client has to know to talk to the service.

mod described;
mod sample;
mod types;

use super::OPERATION;
use super::answer::escape;
use super::format::Format;
use super::value::EntityNumbers;
use types::Wanted;

/// What the pages tell.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// The paths that take the request.
    pub paths: Vec<String>,
    /// The integers of the entity names.
    pub numbers: EntityNumbers,
}

/// A page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// With the charset.
    pub content_type: &'static str,
    /// Its text.
    pub text: String,
}

/// A language that the types can be had in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Language {
    CSharp,
    TypeScript,
    JavaScript,
    Python,
    Xsd,
}

/// What the original called itself.
const NAME: &str = "QBO Webhooks Listener";

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const XML: &str = "application/xml; charset=utf-8";

/// The formats that have a page.
const FORMATS: [Format; 5] = [
    Format::Json,
    Format::Xml,
    Format::Jsv,
    Format::Csv,
    Format::Jsonl,
];

impl Language {
    const ALL: [Self; 5] = [
        Self::CSharp,
        Self::TypeScript,
        Self::JavaScript,
        Self::Python,
        Self::Xsd,
    ];

    /// By its name in `/types/...` and `lang=`.
    fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "csharp" => Some(Self::CSharp),
            "typescript" | "typescript.d" => Some(Self::TypeScript),
            "mjs" | "js" | "javascript" => Some(Self::JavaScript),
            "python" => Some(Self::Python),
            "xsd" => Some(Self::Xsd),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::CSharp => "csharp",
            Self::TypeScript => "typescript",
            Self::JavaScript => "mjs",
            Self::Python => "python",
            Self::Xsd => "xsd",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::CSharp => "C#",
            Self::TypeScript => "TypeScript",
            Self::JavaScript => "JavaScript",
            Self::Python => "Python",
            Self::Xsd => "XSD",
        }
    }
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            paths: vec!["/qbowebhook".into()],
            numbers: EntityNumbers::default(),
        }
    }
}

impl Metadata {
    /// The page at a path, in any case; `None` where there is none. `host` is what the samples are
    /// addressed to.
    pub fn page(&self, path: &str, query: &str, host: &str) -> Option<Page> {
        let path = path.to_ascii_lowercase();
        let mut parts = path.strip_prefix('/')?.split('/');
        let (first, second, rest) = (parts.next()?, parts.next(), parts.next());
        if rest.is_some() {
            return None;
        }
        let asked = |name: &str| {
            form_urlencoded::parse(query.as_bytes())
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        };
        match (first, second) {
            ("metadata", None) if asked("xsd").is_some() => {
                Some(self.types(Language::Xsd, &Wanted::of(None, None)))
            }
            ("metadata", None) => Some(self.overview()),
            ("metadata", Some("app")) => Some(self.app()),
            ("operations", Some("metadata")) => Some(self.index()),
            ("types", None) => Some(languages()),
            ("types", Some(language)) => {
                let (included, excluded) = (asked("IncludeTypes"), asked("ExcludeTypes"));
                let wanted = Wanted::of(included.as_deref(), excluded.as_deref());
                Some(match language {
                    "metadata" => self.description(&wanted),
                    language => self.types(Language::parse(language)?, &wanted),
                })
            }
            (format, Some("metadata")) => {
                let format = Format::parse(format).filter(|format| FORMATS.contains(format))?;
                match asked("op") {
                    None => Some(self.overview()),
                    Some(operation) if operation.eq_ignore_ascii_case(OPERATION) => {
                        let language = asked("lang").and_then(|name| Language::parse(&name));
                        let language = language.unwrap_or(Language::CSharp);
                        Some(self.operation(format, language, host))
                    }
                    Some(_) => None,
                }
            }
            _ => None,
        }
    }

    fn types(&self, language: Language, wanted: &Wanted) -> Page {
        let text = match language {
            Language::CSharp => types::csharp(self, wanted),
            Language::TypeScript => types::typescript(self, wanted),
            Language::JavaScript => types::javascript(self, wanted),
            Language::Python => types::python(self, wanted),
            Language::Xsd => types::xsd(self),
        };
        let content_type = if language == Language::Xsd { XML } else { TEXT };
        Page { content_type, text }
    }

    /// `/metadata`.
    fn overview(&self) -> Page {
        let formats = FORMATS.map(|format| {
            let name = format.as_str();
            format!(
                "<a href=\"/{name}/metadata?op={OPERATION}\">{}</a>",
                name.to_ascii_uppercase()
            )
        });
        html(
            "Operations",
            &format!(
                "<h1>{NAME}</h1>\n<h2>Operations</h2>\n<p>{OPERATION}: {}</p>\n\
                 <h2>XSDs</h2>\n<p><a href=\"/metadata?xsd=1\">Service types</a></p>\n\
                 <h2>Types</h2>\n<p>{}, <a href=\"/types/metadata\">metadata</a></p>\n",
                formats.join(" "),
                language_links("/types/")
            ),
        )
    }

    /// `/json/metadata?op=QboWebhooksRequest` and its likes.
    fn operation(&self, format: Format, language: Language, host: &str) -> Page {
        let routes = self.paths.iter().map(|path| {
            let path = escape(path);
            format!("<tr><th>POST</th><td>{path}</td></tr>\n")
        });
        let path = self.paths.first().map_or("", String::as_str);
        let (name, title) = (format.as_str(), language.title());
        let other = format!("/{name}/metadata?op={OPERATION}&amp;lang=");
        let request = sample::request(self, format, path, host);
        html(
            OPERATION,
            &format!(
                "<h1>{NAME}</h1>\n\
                 <p><a href=\"/metadata\">&lt;back to all web services</a></p>\n\
                 <h2>{OPERATION}</h2>\n\
                 <p>The following routes are available for this service:</p>\n\
                 <table>\n{}</table>\n\
                 <p>{}</p>\n<pre>{}</pre>\n\
                 <p>{title} {OPERATION} DTOs</p>\n\
                 <p>To override the Content-type in your clients, use the HTTP <b>Accept</b> Header, \
                 append the <b>.{name}</b> suffix or <b>?format={name}</b></p>\n\
                 <p>To embed the response in a <b>jsonp</b> callback, append <b>?callback=myCallback</b></p>\n\
                 <h3>HTTP + {}</h3>\n\
                 <p>The following are sample HTTP requests and responses. The placeholders shown need \
                 to be replaced with actual values.</p>\n\
                 <pre>{}</pre>\n<pre>{}</pre>\n",
                routes.collect::<String>(),
                language_links(&other),
                escape(&self.types(language, &Wanted::of(None, None)).text),
                name.to_ascii_uppercase(),
                escape(&request),
                escape(&sample::response(format)),
            ),
        )
    }
}

/// `/types`.
fn languages() -> Page {
    let links = language_links("/types/");
    html("Types", &format!("<h1>Types</h1>\n<p>{links}</p>\n"))
}

fn language_links(before: &str) -> String {
    let link = |language: Language| {
        let (name, title) = (language.as_str(), language.title());
        format!("<a href=\"{before}{name}\">{title}</a>")
    };
    Language::ALL.map(link).join(", ")
}

fn html(title: &str, content: &str) -> Page {
    Page {
        content_type: HTML,
        text: format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n{content}</body></html>\n"
        ),
    }
}

#[cfg(test)]
mod tests;
