//! `/v1/openapi.json`: the document of everything in [`super::table`], written from the routes themselves.

use super::problem::ProblemBody;
use super::route::{Route, schema_of};
use crate::error::PageError;
use crate::host::Site;
use crate::urls::API_KEYS_PLACE;
use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

/// Statuses that every address may answer, with what they mean.
const REFUSALS: [(&str, &str); 9] = [
    ("400", "The request cannot be read, or lacks its `Idempotency-Key`."),
    ("401", "No valid key."),
    ("403", "The key lacks the scope, or the organisation is suspended."),
    ("404", "There is nothing of that id here."),
    ("409", "Something changed meanwhile, or the same request is being worked on."),
    ("412", "It has changed since it was read (`If-Match`)."),
    ("422", "A value breaks a rule, or the `Idempotency-Key` came with another request."),
    ("429", "Too many requests; wait as `Retry-After` says."),
    ("503", "Too busy to store it; wait as `Retry-After` says."),
];

/// `GET /v1/openapi.json`
pub async fn show(site: Site) -> Result<HttpResponse, PageError> {
    Ok(HttpResponse::Ok().json(document(&site.brand.name)))
}

/// The document, under a brand's name.
pub fn document(brand: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    let (problem, needed) = schema_of::<ProblemBody<'_>>();
    add(&mut schemas, needed);
    let problem = json!({ "application/problem+json": { "schema": problem } });
    for route in super::table() {
        let operation = operation(&route, &problem, &mut schemas);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": format!("{brand} API"),
            "version": "1",
            "description": format!(
                "Amounts are decimal texts beside their currency, instants RFC 3339, ids have a prefix. Lists are read page by \
                 page: `limit` and `starting_after`. Every POST that changes something takes an `Idempotency-Key` and then takes \
                 effect once. Unknown fields are refused. Keys are made in the console, under {API_KEYS_PLACE}."
            ),
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route, problem: &Value, schemas: &mut Map<String, Value>) -> Value {
    let (takes, gives) = ((route.takes)(), (route.gives)());
    add(schemas, takes.schemas);
    add(schemas, gives.schemas);
    let mut parameters: Vec<Value> = route
        .names()
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(takes.parameters.iter().map(|parameter| json!(parameter)));
    if route.needs_key() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": true,
            "description": "New for each thing to be done, the same when it is tried again. Kept for 7 days.",
            "schema": { "type": "string", "maxLength": 255 },
        }));
    }
    let mut responses = Map::new();
    let schema = json!({ gives.media: { "schema": gives.schema } });
    responses.insert(gives.status.to_string(), json!({ "description": route.summary, "content": schema }));
    for (status, means) in REFUSALS {
        responses.insert(status.into(), json!({ "description": means, "content": problem }));
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("Needs the scope `{}`.", route.scope),
        "tags": [route.scope.group.title()],
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = takes.body {
        let media = if takes.media.is_empty() { &["application/json"] } else { takes.media };
        let content: Map<String, Value> =
            media.iter().map(|media| ((*media).to_owned(), json!({ "schema": body }))).collect();
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// `get_customers_customer_id_wallet`
fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/v1/").replace(['/', '-'], "_").replace(['{', '}'], "");
    format!("{}_{path}", route.method.as_str().to_lowercase())
}

fn add(schemas: &mut Map<String, Value>, found: super::route::Schemas) {
    for (name, schema) in found {
        schemas.insert(name, json!(schema));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else_is() {
        let document = document("Sample");
        let mut told = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            told.extend(methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
        }
        let served: BTreeSet<_> =
            super::super::table().iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
        assert_eq!(told, served);
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_a_name_of_its_own() {
        let document = document("Sample");
        let text = document.to_string();
        let known: BTreeSet<&str> =
            document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut names = BTreeSet::new();
        for (at, mark) in text.match_indices("#/components/schemas/") {
            let name = text[at + mark.len()..].split('"').next().unwrap();
            assert!(known.contains(name), "{name}");
        }
        for methods in document["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                assert!(names.insert(operation["operationId"].to_string()), "{}", operation["operationId"]);
            }
        }
    }

    #[test]
    fn no_two_schemas_share_a_name() {
        let mut known: Map<String, Value> = Map::new();
        for route in super::super::table() {
            for (name, schema) in (route.takes)().schemas.into_iter().chain((route.gives)().schemas) {
                // A document that is read may leave out what the same one, shown, always has.
                let mut schema = json!(schema);
                if let Some(schema) = schema.as_object_mut() {
                    schema.retain(|word, _| word != "required" && word != "examples");
                }
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "{name}, of {} {}", route.method, route.path);
            }
        }
    }

    #[test]
    fn what_is_sent_may_have_no_other_fields() {
        let document = document("Sample");
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for methods in document["paths"].as_object().unwrap().values() {
            for operation in methods.as_object().unwrap().values() {
                let reference = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
                let Some(name) = reference.as_str().and_then(|reference| reference.rsplit('/').next()) else {
                    continue;
                };
                assert_eq!(schemas[name]["additionalProperties"], json!(false), "{name}");
            }
        }
    }
}
