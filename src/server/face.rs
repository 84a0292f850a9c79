//! The public listener's face: which requests are deliveries, by whom, and how they are answered.
//!
//! With the original listener's face, its routes are the configured paths with their suffixes and the
//! framework's predefined ones; without it, the configured paths and nothing else. Called by `webhook`
//! before a byte of the body is read. Promises: the configured paths answer as they always do.

use super::answer::{Answer, Refusal, TEXT, answer};
use super::manner::Manner;
use super::router;
use super::source::{Gate, Source};
use crate::wire::servicestack::Arity;
use crate::wire::servicestack::answer::Fault;
use crate::wire::servicestack::format::{Asked, Format, negotiate};
use crate::wire::servicestack::metadata::{Metadata, Page};
use crate::wire::servicestack::route::{self, Route};
use crate::wire::servicestack::value::EntityNumbers;
use arc_swap::ArcSwap;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::uri::Authority;
use http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use std::sync::Arc;

/// What the original listener's face is made of.
#[derive(Debug)]
pub struct Face {
    /// Whether it is shown at all.
    pub enabled: bool,
    /// JSON strings without quotes, as the framework writes them.
    pub raw_strings: bool,
    /// Whether the metadata is on the public listener, too.
    pub publish_metadata: bool,
    /// The integers of the entity names.
    pub numbers: EntityNumbers,
    /// The pages about the service, as strangers may see them.
    pub metadata: Metadata,
    /// Clients that do not sign; exchanged on reload.
    pub sources: ArcSwap<Vec<Source>>,
}

/// A request that may be a delivery.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it came in.
    pub(super) gate: Gate,
    /// How it is answered.
    pub(super) manner: Manner,
    /// Who may come without a signature.
    pub(super) sources: Arc<Vec<Source>>,
}

impl Default for Face {
    fn default() -> Self {
        Self {
            enabled: true,
            raw_strings: false,
            publish_metadata: false,
            numbers: EntityNumbers::default(),
            metadata: Metadata::default(),
            sources: ArcSwap::default(),
        }
    }
}

impl Face {
    /// What a request is; anything but a delivery is answered on the spot.
    pub(super) fn enter<B>(
        &self,
        request: &Request<B>,
        paths: &[String],
        is_signed: bool,
    ) -> Result<Entry, Box<Answer>> {
        if !self.enabled {
            router::check(request, paths).map_err(refused)?;
            return Ok(Entry {
                gate: Gate::Path(request.uri().path().to_owned()),
                manner: Manner::plain(),
                sources: Arc::default(),
            });
        }
        router::host(request).map_err(refused)?;
        let sources = self.sources.load_full();
        let sources_paths = sources.iter().filter_map(|source| source.path.as_deref());
        let own = paths.iter().map(String::as_str).chain(sources_paths);
        let Some(route) = route::find(request.uri().path(), &own) else {
            return Err(Box::new(self.elsewhere(request)));
        };
        let manner = self.manner(request, &route, is_signed);
        let gate = match route {
            Route::Own { path, exactly, .. } => {
                if request.method() != Method::POST {
                    let not_allowed = Refusal::NotAllowed("POST").into();
                    return Err(Box::new(if exactly { not_allowed } else { no_handler() }));
                }
                Gate::Path(path.to_owned())
            }
            Route::Predefined { .. } => {
                let verbs = [
                    Method::GET,
                    Method::POST,
                    Method::PUT,
                    Method::PATCH,
                    Method::DELETE,
                ];
                if !verbs.contains(request.method()) {
                    return Err(Box::new(no_handler()));
                }
                Gate::Predefined
            }
            Route::Index if is_reading(request.method()) => {
                return Err(Box::new(page(self.metadata.index())));
            }
            Route::Index => return Err(Box::new(no_handler())),
            Route::Unknown { operation, .. } => {
                let fault = Fault::unknown_operation(&operation);
                return Err(Box::new(manner.refusal(&fault)));
            }
        };
        Ok(Entry {
            gate,
            manner,
            sources,
        })
    }

    fn manner<B>(&self, request: &Request<B>, route: &Route<'_>, is_signed: bool) -> Manner {
        let (suffix, path, arity, is_one_way) = match route {
            Route::Own { suffix, path, .. } => (*suffix, route::format_of(path), Arity::One, false),
            Route::Predefined {
                suffix,
                path,
                arity,
                is_one_way,
            } => (*suffix, Some(*path), *arity, *is_one_way),
            Route::Unknown { path, .. } => (None, Some(*path), Arity::One, false),
            Route::Index => (None, Some(Format::Json), Arity::One, false),
        };
        let accept = joined(request.headers(), &ACCEPT);
        let asked = Asked {
            suffix,
            query: request.uri().query().unwrap_or_default(),
            path,
            accept: Some(&accept),
            content_type: content_type(request.headers()),
        };
        Manner {
            answering: Some(negotiate(&asked)),
            raw_strings: self.raw_strings,
            arity,
            is_one_way,
            is_signed,
        }
    }

    /// What is no delivery: a page about the service, where it is public, or nothing.
    fn elsewhere<B>(&self, request: &Request<B>) -> Answer {
        let uri = request.uri();
        let found = (self.publish_metadata && is_reading(request.method()))
            .then(|| {
                let host = router::host(request).ok().flatten();
                let host = host.as_ref().map_or("", Authority::as_str);
                self.metadata
                    .page(uri.path(), uri.query().unwrap_or_default(), host)
            })
            .flatten();
        found.map_or_else(|| Refusal::NotFound.into(), page)
    }
}

/// A page about the service.
pub(super) fn page(Page { content_type, text }: Page) -> Answer {
    answer(StatusCode::OK, content_type, text)
}

/// `Content-Type`, where it is text.
pub(super) fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// A header that may be there several times, as one list.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn refused(refusal: Refusal) -> Box<Answer> {
    Box::new(refusal.into())
}

/// What the framework answers where a route is not for this verb.
fn no_handler() -> Answer {
    answer(StatusCode::NOT_FOUND, TEXT, "404")
}
