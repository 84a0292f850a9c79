//! What the demo sends: Intuit's own published samples, then generated payloads, then trouble.
//!
//! Sources: Intuit's announcement of the CloudEvents payload (2025-11-12) and its documentation of
//! merge and sales receipt events; the legacy sample of the Java SDK's test; the class sample of the
//! .NET SDK's test. Where Intuit masks digits, digits were filled in.

/// A payload with its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// What it shows.
    pub(super) title: &'static str,
    /// The body, as on the wire.
    pub(super) body: &'static str,
}

/// One change each.
pub(super) const SAMPLES: [Sample; 5] = [
    Sample {
        title: "CloudEvents: account created (Intuit's sample)",
        body: r#"[{"specversion":"1.0","id":"88cd52aa-33b6-4351-9aa4-47572edbd068","source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=","type":"qbo.account.created.v1","datacontenttype":"application/json","time":"2025-09-10T21:31:25.179851517Z","intuitentityid":"1234","intuitaccountid":"310687","data":{}}]"#,
    },
    Sample {
        title: "legacy: customer created (Java SDK sample)",
        body: r#"{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1","operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}"#,
    },
    Sample {
        title: "CloudEvents: customer merged",
        body: r#"[{"specversion":"1.0","id":"5f0c9c1e-3a54-4f0b-9e55-7a9e5b1f1f01-Customer-123","source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=","type":"qbo.customer.merged.v1","datacontenttype":"application/json","time":"2025-12-04T15:25:05Z","intuitentityid":"123","intuitaccountid":"310687","data":{"deletedid":"27"}}]"#,
    },
    Sample {
        title: "CloudEvents: sales receipt, without data",
        body: r#"[{"specversion":"1.0","id":"0e3a8a34-5b0c-4f0e-8a3e-1f2d3c4b5a69-SalesReceipt-150","source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=","type":"qbo.salesreceipt.updated.v1","time":"2026-03-17T16:19:17Z","intuitentityid":"150","intuitaccountid":"310687"}]"#,
    },
    Sample {
        title: "CloudEvents: class created (.NET SDK sample)",
        body: r#"[{"specversion":"1.0","id":"d1a3aedd-9670-41bf-a4f9-c148a1cc4e03","source":"intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=","type":"qbo.class.created.v1","time":"2025-10-07T19:59:07.034359333Z","intuitentityid":"1234","intuitaccountid":"310687","data":{"alternative_ids":[{"id":"djQuMTo5MTMwMzUyMjI1NzM5NDQ2OjlkNjk5ZTk2MDg:400000381","namespace":"Intuit.sbseg.v4"}]}}]"#,
    },
];

/// Signed, but cut off in the middle: authentic, not understood.
pub(super) const MALFORMED: Sample = Sample {
    title: "signed well, but not JSON",
    body: r#"[{"specversion":"1.0","id":"88cd52aa","#,
};
