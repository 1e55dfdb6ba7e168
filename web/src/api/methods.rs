//! Means of payment on file: a direct debit mandate that a customer gave, paying by invoice that the seller granted.

use super::customers;
use super::list::List;
use super::problem::{ApiResult, Problem};
use super::route::{Ask, Created, Given, Nothing, One, Route, Shown, delete, get, post};
use super::shapes;
use chrono::{DateTime, Utc};
use db::{CustomerId, PaymentMethodId};
use payments::MethodKind;
use serde::{Deserialize, Serialize};
use tenant::ScopeGroup;
use utoipa::ToSchema;

pub fn routes() -> Vec<Route> {
    let group = ScopeGroup::Customers;
    vec![
        get(
            "/v1/customers/{customer_id}/payment-methods",
            group,
            "List what a customer pays by, the newest first",
            methods,
        ),
        post("/v1/customers/{customer_id}/payment-methods", group, "Put a means of payment on file", add),
        delete(
            "/v1/customers/{customer_id}/payment-methods/{method_id}",
            group,
            "Take a means of payment off the file",
            remove,
        ),
    ]
}

/// A means of payment on file.
#[derive(Serialize, ToSchema)]
struct PaymentMethod {
    #[schema(example = "payment_method")]
    object: &'static str,
    id: String,
    customer: String,
    #[schema(schema_with = shapes::payment_method)]
    kind: &'static str,
    /// Of a direct debit: whose account it is.
    holder: Option<String>,
    /// Of a direct debit: enough of the account to know it again. Whoever collects reads all of it on the customer's page.
    #[schema(example = "DE89 … 3000")]
    iban: Option<String>,
    /// Of a direct debit: what the debit refers to.
    mandate: Option<String>,
    added_at: DateTime<Utc>,
    added_by: String,
}

impl Shown for PaymentMethod {
    fn id(&self) -> String {
        self.id.clone()
    }
}

impl From<payments::PaymentMethod> for PaymentMethod {
    fn from(of: payments::PaymentMethod) -> Self {
        let kind = of.kind.as_str();
        let (holder, iban, mandate) = match of.kind {
            MethodKind::DirectDebit { holder, iban, mandate } => (Some(holder), Some(iban.masked()), Some(mandate)),
            MethodKind::OnInvoice => (None, None, None),
        };
        Self {
            object: "payment_method",
            id: of.id.to_string(),
            customer: of.customer_id.to_string(),
            kind,
            holder,
            iban,
            mandate,
            added_at: of.added_at,
            added_by: of.added_by,
        }
    }
}

async fn methods(ask: &Ask, _: Nothing) -> ApiResult<List<PaymentMethod>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    let on_file = payments::methods_on_file(&ask.tx, customer.id).await?;
    Ok(List::whole(on_file.into_iter().map(PaymentMethod::from).collect()))
}

/// A means of payment to be: a SEPA mandate, or paying by invoice.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPaymentMethod {
    #[schema(schema_with = shapes::payment_method)]
    kind: String,
    /// Of a direct debit: whose account it is, 1 to 70 letters.
    holder: Option<String>,
    /// Of a direct debit: the account, with or without blanks. A new one takes the place of the one before.
    iban: Option<String>,
    /// Of a direct debit: `true`, as the holder has agreed that the seller collects from the account.
    has_agreed: Option<bool>,
}

impl NewPaymentMethod {
    /// Fields that are missing for its kind, or do not belong to it.
    fn check(&self) -> ApiResult<()> {
        let is_debit = match self.kind.as_str() {
            "direct_debit" => true,
            "on_invoice" => false,
            other => {
                let rule = "must be one of: direct_debit, on_invoice";
                return Err(Problem::invalid("/kind", "unknown_word", rule).with_value(other));
            }
        };
        let given = [
            ("/holder", self.holder.is_some()),
            ("/iban", self.iban.is_some()),
            ("/has_agreed", self.has_agreed.is_some()),
        ];
        let wrong = given.into_iter().filter(|(_, is_given)| *is_given != is_debit).map(|(pointer, _)| {
            let (code, rule) = if is_debit {
                ("missing", "this field is missing")
            } else {
                ("must_be_absent", "must be left out here")
            };
            Problem::invalid(pointer, code, rule)
        });
        let wrong: Vec<_> = wrong.flat_map(|problem| problem.fields).collect();
        if !wrong.is_empty() {
            return Err(Problem::of_fields(wrong));
        }
        if self.has_agreed == Some(false) {
            return Err(Problem::invalid(
                "/has_agreed",
                "must_be_agreed",
                "must be true: without it nobody may collect",
            ));
        }
        Ok(())
    }
}

async fn add(ask: &Ask, Given(given): Given<NewPaymentMethod>) -> ApiResult<Created<PaymentMethod>> {
    let customer = customers::find(&ask.tx, ask.id("customer_id")?).await?;
    given.check()?;
    let id = match (&given.holder, &given.iban) {
        (Some(holder), Some(iban)) => {
            payments::give_mandate(&ask.tx, customer.id, holder, iban, &ask.actor(), ask.now).await?
        }
        _ => payments::agree_on_invoice(&ask.tx, customer.id, &ask.actor(), ask.now).await?,
    };
    Ok(Created(find(ask, customer.id, id).await?))
}

async fn find(ask: &Ask, customer: CustomerId, id: PaymentMethodId) -> ApiResult<PaymentMethod> {
    let on_file = payments::methods_on_file(&ask.tx, customer).await?;
    on_file.into_iter().find(|method| method.id == id).map(PaymentMethod::from).ok_or_else(Problem::not_found)
}

async fn remove(ask: &Ask, _: Nothing) -> ApiResult<One<PaymentMethod>> {
    let (customer, id) = (ask.id("customer_id")?, ask.id("method_id")?);
    let gone = find(ask, customer, id).await?;
    if !payments::remove_method(&ask.tx, customer, id, &ask.actor(), ask.now).await? {
        return Err(Problem::not_found());
    }
    Ok(One(gone))
}
