//! One customer, and money coming in for it: form, preview, confirm.

use askama::Template;
use askama_web::WebTemplate;

use super::{
    fields::Field,
    means::Means,
    parts::{Facts, Heading, Stats, Sums, Timeline},
    subscriptions::SubscriptionCard,
    table::Table,
    ui,
};
use crate::shell::{Shell, Token};

/// What a wallet holds, and the entries that made it.
#[derive(Clone, Debug)]
pub struct WalletCard {
    /// Balance, reserved, available, floor.
    pub figures: Stats,
    pub entries: Table,
}

/// `GET /admin/customers/{id}`, and `GET /admin/account` for the book one level up.
#[derive(Template, WebTemplate)]
#[template(path = "customer.html")]
pub struct Customer {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    /// `None` for a customer on account.
    pub wallet: Option<WalletCard>,
    pub subscriptions: Vec<SubscriptionCard>,
    /// Where a subscription begins; `None` for a reader.
    pub subscribe_href: Option<String>,
    /// Feature, limit, used, remaining.
    pub entitlements: Table,
    /// What the next document will say.
    pub next_bill_href: Option<String>,
    pub invoices: Table,
    pub payments: Table,
    /// `None` where a book holds no calls of its own.
    pub calls: Option<Table>,
    /// `None` for a reader: the account page shows what the seller keeps.
    pub payment: Option<PaymentForm>,
    /// What is on file to pay with.
    pub means: Option<Means>,
    /// Where it is closed; `None` while something runs, or for who may not.
    pub close_href: Option<String>,
    pub timeline: Timeline,
}

impl Customer {
    fn token(&self) -> Token {
        self.shell.token()
    }
}

/// Where money came from, as the form offers it.
#[derive(Clone, Debug)]
pub struct PaymentForm {
    pub action: String,
    pub csrf: Token,
    /// "Add a top-up" to a wallet, "Record a payment" on account.
    pub title: String,
    /// Amount, where it came from, reference.
    pub fields: Vec<Field>,
}

impl PaymentForm {
    /// What was typed, to be sent once more by the button that confirms.
    fn typed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }
}

/// `GET /admin/customers/{id}/payments?amount=…`: what would happen. Confirming is the POST.
#[derive(Template, WebTemplate)]
#[template(path = "payment.html")]
pub struct PaymentPreview {
    pub shell: Shell,
    pub heading: Heading,
    pub form: PaymentForm,
    /// Before, the amount, after; or the invoices it would settle. `None` until the form is right.
    pub outcome: Option<Sums>,
    /// "Add €30.00"
    pub confirm: String,
    /// The same form sent twice is one payment.
    pub idempotency_key: String,
    pub back_href: String,
}

/// `GET /admin/coupons/{id}`: a coupon and who has redeemed it.
#[derive(Template, WebTemplate)]
#[template(path = "coupon.html")]
pub struct CouponPage {
    pub shell: Shell,
    pub heading: Heading,
    pub facts: Facts,
    pub redemptions: Table,
    /// Where a POST takes it out of sale; `None` once it is.
    pub archive_href: Option<String>,
}

impl CouponPage {
    fn token(&self) -> Token {
        self.shell.token()
    }
}
