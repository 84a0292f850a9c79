//! Refusals: `{"requestId": …, "message": …}` and, where Intuit said why, `providerMessage`.

/// Why a call is not carried out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    /// The HTTP status: 400, 401, 403, 404, 405, 409, 415, 429 or 503.
    pub status: u16,
    /// What is wrong, in a sentence that names the key, the field, or line and column.
    pub message: String,
    /// What Intuit said, in its words.
    pub provider_message: Option<String>,
    /// The methods that there are (405).
    pub allow: Option<&'static str>,
}

impl Wrong {
    /// A refusal with this status.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            provider_message: None,
            allow: None,
        }
    }

    /// 400: the request has a fault that its sender can mend.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// 400 about a key of the configuration, or a field of the body.
    pub fn at(key: &str, why: impl std::fmt::Display) -> Self {
        Self::bad(format!("{key}: {why}"))
    }

    /// 401: the secrets are missing, or are none.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(401, message)
    }

    /// 404: nothing is there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, message)
    }

    /// 400: Intuit refused, and this is why.
    pub fn refused_by_provider(message: impl Into<String>, said: impl Into<String>) -> Self {
        Self {
            provider_message: Some(said.into()),
            ..Self::bad(message)
        }
    }
}
