//! The request's types in several languages, as ServiceStack generates them.
//!
//! They are what integrators copy, so they stay as the original had them, letter by letter; the entity
//! names are the configured ones.

use super::super::xml;
use super::Metadata;

/// The namespace of the types in C#.
pub(super) const NAMESPACE: &str = "ESI.Service.QBOWebhooksListener";

/// The operations in the order of their numbers.
pub(super) const OPERATIONS: [&str; 6] = ["Update", "Create", "Merge", "Delete", "Emailed", "Void"];

/// The types, each with those that it is made of.
const TYPES: [(&str, &[&str]); 6] = [
    ("QboWebhooksRequest", &["QBOEventNotification"]),
    ("QBOEventNotification", &["QBODataChangeEvent"]),
    ("QBODataChangeEvent", &["QBOEntity"]),
    ("QBOEntity", &["QBOEntityName", "QBOOperation"]),
    ("QBOEntityName", &[]),
    ("QBOOperation", &[]),
];

/// The types that are asked for.
pub(super) struct Wanted(Vec<&'static str>);

impl Wanted {
    /// By `IncludeTypes` and `ExcludeTypes`: names with commas between them, `Name.*` for a type and all
    /// that it is made of, `Namespace/*` for a namespace. Source: ServiceStack, "Add ServiceStack
    /// Reference", "Include Types".
    pub(super) fn of(included: Option<&str>, excluded: Option<&str>) -> Self {
        let all = TYPES.map(|(name, _)| name);
        let listed = |list: &str| {
            let mut found = Vec::new();
            for name in list.split(',').map(str::trim_ascii) {
                match (name.strip_suffix("/*"), name.strip_suffix(".*")) {
                    (Some(NAMESPACE), _) => found.extend(all),
                    (_, Some(name)) => add(name, true, &mut found),
                    _ => add(name, false, &mut found),
                }
            }
            found
        };
        let is_set = |list: &&str| !list.trim_ascii().is_empty();
        let mut wanted = included.filter(is_set).map_or(all.to_vec(), listed);
        let excluded = excluded.map_or(Vec::new(), listed);
        wanted.retain(|name| !excluded.contains(name));
        Self(wanted)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// A type's text, where it is asked for.
    fn keep(&self, name: &str, text: String) -> String {
        if self.has(name) { text } else { String::new() }
    }
}

fn add(name: &str, with_parts: bool, found: &mut Vec<&'static str>) {
    let mut types = TYPES.into_iter();
    let Some((name, parts)) = types.find(|(known, _)| known.eq_ignore_ascii_case(name)) else {
        return;
    };
    found.push(name);
    if with_parts {
        parts.iter().for_each(|part| add(part, true, found));
    }
}

/// One line for each entity name.
fn each(metadata: &Metadata, line: impl Fn(&str, i32) -> String) -> String {
    let lines = metadata.numbers.entries();
    lines
        .map(|(name, number)| line(name, number) + "\n")
        .collect()
}

/// One line for each operation.
fn operations(line: impl Fn(&str) -> String) -> String {
    OPERATIONS.iter().map(|name| line(name) + "\n").collect()
}

/// One line for each path.
fn routes(metadata: &Metadata, line: impl Fn(&str) -> String) -> String {
    let paths = metadata.paths.iter();
    paths.map(|path| line(path) + "\n").collect()
}

pub(super) fn python(metadata: &Metadata, wanted: &Wanted) -> String {
    let names = each(metadata, |name, number| {
        format!("    {} = {number}", constant(name))
    });
    let operations = operations(|name| format!("    {} = '{name}'", constant(name)));
    let class = |name: &str, fields: &str| {
        let text = format!(
            "\n\n@dataclass_json(letter_case=LetterCase.CAMEL, undefined=Undefined.EXCLUDE)\n@dataclass\nclass {name}:\n{fields}"
        );
        wanted.keep(name, text)
    };
    let names = format!("\n\nclass QBOEntityName(IntEnum):\n{names}");
    let operations = format!("\n\nclass QBOOperation(str, Enum):\n{operations}");
    let names = wanted.keep("QBOEntityName", names);
    let operations = wanted.keep("QBOOperation", operations);
    let entity = class(
        "QBOEntity",
        "    name: Optional[QBOEntityName] = None
    id: Optional[str] = None
    operation: Optional[QBOOperation] = None
    last_updated: datetime.datetime = datetime.datetime(1, 1, 1)
    deleted_id: Optional[str] = None
",
    );
    let event = class(
        "QBODataChangeEvent",
        "    entities: Optional[List[QBOEntity]] = None\n",
    );
    let notification = class(
        "QBOEventNotification",
        "    realm_id: Optional[str] = None\n    data_change_event: Optional[QBODataChangeEvent] = None\n",
    );
    let request = class(
        "QboWebhooksRequest",
        "    event_notifications: Optional[List[QBOEventNotification]] = None\n",
    );
    format!(
        "import datetime
import decimal
from marshmallow.fields import *
from servicestack import *
from typing import *
from dataclasses import dataclass, field
from dataclasses_json import dataclass_json, LetterCase, Undefined, config
from enum import Enum, IntEnum
{names}{operations}{entity}{event}{notification}{request}"
    )
}

/// `JournalCode` is `JOURNAL_CODE`; what Python reserves gets an underscore.
fn constant(name: &str) -> String {
    let mut constant = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !constant.is_empty() {
            constant.push('_');
        }
        constant.push(letter.to_ascii_uppercase());
    }
    let reserved = [
        "AND", "AS", "CLASS", "DEF", "DEL", "FOR", "FROM", "GLOBAL", "IF", "IMPORT", "IN", "IS",
        "LAMBDA", "NONE", "NOT", "OR", "PASS", "RAISE", "RETURN", "TRY", "WITH", "YIELD",
    ];
    if reserved.contains(&&*constant) {
        constant.push('_');
    }
    constant
}

pub(super) fn javascript(metadata: &Metadata, wanted: &Wanted) -> String {
    let names = each(metadata, |name, number| {
        format!("    QBOEntityName[QBOEntityName[\"{name}\"] = {number}] = \"{name}\"")
    });
    let union = OPERATIONS.map(|name| format!("'{name}'")).join("|");
    let operations = operations(|name| format!("    QBOOperation[\"{name}\"] = \"{name}\""));
    let class = |name: &str, fields: &[(&str, &str)]| {
        let init: Vec<String> = fields
            .iter()
            .map(|(field, kind)| format!("{field}?:{kind}"))
            .collect();
        let fields: String = fields
            .iter()
            .map(|(field, kind)| format!("    /** @type {{{kind}}} */\n    {field};\n"))
            .collect();
        let text = format!(
            "export class {name} {{\n    /** @param {{{{{}}}}} [init] */\n    constructor(init) {{ Object.assign(this, init) }}\n{fields}}}\n",
            init.join(",")
        );
        wanted.keep(name, text)
    };
    let classes = [
        class(
            "QBOEntity",
            &[
                ("name", "QBOEntityName"),
                ("id", "string"),
                ("operation", "QBOOperation"),
                ("lastUpdated", "string"),
                ("deletedId", "string"),
            ],
        ),
        class("QBODataChangeEvent", &[("entities", "QBOEntity[]")]),
        class(
            "QBOEventNotification",
            &[
                ("realmId", "string"),
                ("dataChangeEvent", "QBODataChangeEvent"),
            ],
        ),
        class(
            "QboWebhooksRequest",
            &[("eventNotifications", "QBOEventNotification[]")],
        ),
    ]
    .concat();
    let names = format!(
        "/** @typedef {{number}} */
export var QBOEntityName;
(function (QBOEntityName) {{
{names}}})(QBOEntityName || (QBOEntityName = {{}}));
"
    );
    let operations = format!(
        "/** @typedef {{{union}}} */
export var QBOOperation;
(function (QBOOperation) {{
{operations}}})(QBOOperation || (QBOOperation = {{}}));
"
    );
    let names = wanted.keep("QBOEntityName", names);
    let operations = wanted.keep("QBOOperation", operations);
    format!("\"use strict\";\n{names}{operations}{classes}")
}

pub(super) fn typescript(metadata: &Metadata, wanted: &Wanted) -> String {
    let names = each(metadata, |name, number| format!("    {name} = {number},"));
    let operations = operations(|name| format!("    {name} = '{name}',"));
    let class = |name: &str, fields: &[(&str, &str)]| {
        let fields: String = fields
            .iter()
            .map(|(field, kind)| format!("    public {field}: {kind};\n"))
            .collect();
        let text = format!(
            "export class {name}\n{{\n{fields}\n    public constructor(init?: Partial<{name}>) {{ (Object as any).assign(this, init); }}\n}}\n"
        );
        wanted.keep(name, text + "\n")
    };
    let entity = class(
        "QBOEntity",
        &[
            ("name", "QBOEntityName"),
            ("id", "string"),
            ("operation", "QBOOperation"),
            ("lastUpdated", "string"),
            ("deletedId", "string"),
        ],
    );
    let event = class("QBODataChangeEvent", &[("entities", "QBOEntity[]")]);
    let notification = class(
        "QBOEventNotification",
        &[
            ("realmId", "string"),
            ("dataChangeEvent", "QBODataChangeEvent"),
        ],
    );
    let request = class(
        "QboWebhooksRequest",
        &[("eventNotifications", "QBOEventNotification[]")],
    );
    let routes = routes(metadata, |path| format!("// @Route(\"{path}\", \"POST\")"));
    let request = request.trim_end_matches('\n');
    let request = format!("{routes}// @DataContract\n{request}\n");
    let names = format!("export enum QBOEntityName\n{{\n{names}}}\n\n");
    let operations = format!("export enum QBOOperation\n{{\n{operations}}}\n\n");
    [
        wanted.keep("QBOEntityName", names),
        wanted.keep("QBOOperation", operations),
        entity,
        event,
        notification,
        wanted.keep("QboWebhooksRequest", request),
    ]
    .concat()
}

pub(super) fn csharp(metadata: &Metadata, wanted: &Wanted) -> String {
    let names = each(metadata, |name, number| {
        format!("        {name} = {number},")
    });
    let operations = operations(|name| format!("        {name},"));
    let class = |name: &str, members: &[(&str, &str, &str)]| {
        let members: Vec<String> = members
            .iter()
            .map(|(wire, kind, name)| {
                format!(
                    "        [DataMember(Name=\"{wire}\")]\n        public virtual {kind} {name} {{ get; set; }}\n"
                )
            })
            .collect();
        let members = members.join("\n");
        let text = format!("    public partial class {name}\n    {{\n{members}    }}\n\n");
        wanted.keep(name, text)
    };
    let entity = class(
        "QBOEntity",
        &[
            ("name", "QBOEntityName", "Name"),
            ("id", "string", "Id"),
            ("operation", "QBOOperation", "Operation"),
            ("lastUpdated", "DateTime", "LastUpdated"),
            ("deletedId", "string", "DeletedId"),
        ],
    );
    let event = class(
        "QBODataChangeEvent",
        &[("entities", "List<QBOEntity>", "Entities")],
    );
    let notification = class(
        "QBOEventNotification",
        &[
            ("realmId", "string", "RealmId"),
            ("dataChangeEvent", "QBODataChangeEvent", "DataChangeEvent"),
        ],
    );
    let request = class(
        "QboWebhooksRequest",
        &[(
            "eventNotifications",
            "List<QBOEventNotification>",
            "EventNotifications",
        )],
    );
    let routes = routes(metadata, |path| {
        format!("    [Route(\"{path}\", \"POST\")]")
    });
    let request = request.trim_end_matches('\n');
    let request = format!("{routes}    [DataContract]\n{request}\n");
    let names = format!("    public enum QBOEntityName\n    {{\n{names}    }}\n\n");
    let operations = format!("    public enum QBOOperation\n    {{\n{operations}    }}\n\n");
    let types = [
        event,
        entity,
        wanted.keep("QBOEntityName", names),
        notification,
        wanted.keep("QBOOperation", operations),
        wanted.keep("QboWebhooksRequest", request),
    ]
    .concat();
    format!(
        "using System;
using System.Collections.Generic;
using System.Runtime.Serialization;
using ServiceStack;

namespace {NAMESPACE}
{{
{types}}}
"
    )
}

pub(super) fn xsd(metadata: &Metadata) -> String {
    let value = |name: &str| format!("      <xs:enumeration value=\"{name}\"/>");
    let names = each(metadata, |name, _| value(name));
    let operations = operations(value);
    let text = |name: &str| {
        format!(
            "      <xs:element minOccurs=\"0\" name=\"{name}\" nillable=\"true\" type=\"xs:string\"/>"
        )
    };
    let (deleted, id, realm) = (text("DeletedId"), text("Id"), text("RealmId"));
    format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:tns="{0}" targetNamespace="{0}" elementFormDefault="qualified">
  <xs:simpleType name="QBOEntityName">
    <xs:restriction base="xs:string">
{names}    </xs:restriction>
  </xs:simpleType>
  <xs:simpleType name="QBOOperation">
    <xs:restriction base="xs:string">
{operations}    </xs:restriction>
  </xs:simpleType>
  <xs:complexType name="QBOEntity">
    <xs:sequence>
{deleted}
{id}
      <xs:element minOccurs="0" name="LastUpdated" type="xs:dateTime"/>
      <xs:element minOccurs="0" name="Name" type="tns:QBOEntityName"/>
      <xs:element minOccurs="0" name="Operation" type="tns:QBOOperation"/>
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="ArrayOfQBOEntity">
    <xs:sequence>
      <xs:element minOccurs="0" maxOccurs="unbounded" name="QBOEntity" nillable="true" type="tns:QBOEntity"/>
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="QBODataChangeEvent">
    <xs:sequence>
      <xs:element minOccurs="0" name="Entities" nillable="true" type="tns:ArrayOfQBOEntity"/>
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="QBOEventNotification">
    <xs:sequence>
      <xs:element minOccurs="0" name="DataChangeEvent" nillable="true" type="tns:QBODataChangeEvent"/>
{realm}
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="ArrayOfQBOEventNotification">
    <xs:sequence>
      <xs:element minOccurs="0" maxOccurs="unbounded" name="QBOEventNotification" nillable="true" type="tns:QBOEventNotification"/>
    </xs:sequence>
  </xs:complexType>
  <xs:complexType name="QboWebhooksRequest">
    <xs:sequence>
      <xs:element minOccurs="0" name="eventNotifications" nillable="true" type="tns:ArrayOfQBOEventNotification"/>
    </xs:sequence>
  </xs:complexType>
  <xs:element name="QboWebhooksRequest" nillable="true" type="tns:QboWebhooksRequest"/>
</xs:schema>
"#,
        xml::NAMESPACE
    )
}
