//! The rate estimator: a forecast is typed, staffed and priced on the spot. The address holds the figures, so a link shares them.

use super::forecast::{self, DAYS};
use super::{estimate_csv, estimate_show, public_shell, saved};
use crate::error::{PageError, PageResult};
use crate::extract::SignedIn;
use crate::format;
use crate::host::Site;
use crate::pages::door;
use crate::pages::form::{Faults, Given};
use crate::sheet::Sheet;
use crate::shell::Section;
use crate::urls;
use crate::views::fields::{Control, Field};
use crate::views::parts::Note;
use crate::views::public::{EstimatePage, FieldGroup, NothingYet, Outcome};
use crate::views::ui::Link;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::{DateTime, Utc};
use pricing::{ChannelKind, Estimate, Forecast};

/// Zones that the form proposes; any other may be typed.
const ZONES: [&str; 18] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Athens",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Manila",
    "Australia/Sydney",
];

/// `GET /estimate`
pub async fn page(
    request: HttpRequest,
    app: web::Data<crate::app::App>,
    site: Site,
    given: web::Query<Given>,
    signed_in: PageResult<SignedIn>,
) -> PageResult<HttpResponse> {
    saved::may_compute(&request, &app)?;
    let now = app.clock.now();
    let mut shell = public_shell(&request, &site, "Rate estimator", Section::Estimate, signed_in.as_ref().ok());
    let visitor = door::visitor(&request, &site);
    if signed_in.is_err() {
        shell.csrf = visitor.token;
    }
    let (sheet, note) = asked(&given);
    let is_sample = note.is_some();
    let (mut outcome, faults) = worked_out(&sheet, now);
    if let Outcome::Found(result) = &mut outcome {
        result.save = Some(saved::form(&sheet.fields(), &shell.csrf));
    }
    let groups = groups(&sheet, &faults);
    let outcome = outcome.named(groups.iter().flat_map(|group| group.rows.iter().flatten()));
    let view = EstimatePage { shell, note, action: urls::ESTIMATE, is_sample, groups, zones: ZONES.to_vec(), outcome };
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/html; charset=utf-8");
    if let Some(cookie) = visitor.cookie.filter(|_| signed_in.is_err()) {
        answer.cookie(cookie);
    }
    Ok(answer.body(view.render().map_err(PageError::failed)?))
}

/// `GET /estimate/csv`: the same figures as a file.
pub async fn csv(
    request: HttpRequest,
    app: web::Data<crate::app::App>,
    given: web::Query<Given>,
) -> PageResult<HttpResponse> {
    saved::may_compute(&request, &app)?;
    let (forecast, estimate) = of_given(&given, app.clock.now())?;
    Ok(file_answer(estimate_csv::file(&forecast, &estimate)))
}

/// What a form asks for, or the first thing that is wrong with it.
pub(super) fn of_given(given: &Given, now: DateTime<Utc>) -> PageResult<(Forecast, Estimate)> {
    let (sheet, _) = asked(given);
    computed(&sheet, now).map_err(|faults| PageError::Refused(faults.first()))
}

/// A file to be saved.
pub(super) fn file_answer(text: String) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("content-disposition", "attachment; filename=\"estimate.csv\""))
        .body(text)
}

/// What the address asks for; without figures the sample, marked as one.
fn asked(given: &Given) -> (Sheet, Option<Note>) {
    let kept = given.kept();
    if given.has("empty") {
        return (forecast::blank(), None);
    }
    if !given.has("currency") {
        let mut note = Note::plain("Change any figure; the result follows.");
        note.lead = "Sample data.".into();
        return (forecast::sample(), Some(note));
    }
    (Sheet::of_fields(kept.iter().map(|(name, text)| (name.as_str(), text.as_str()))), None)
}

fn computed(sheet: &Sheet, now: DateTime<Utc>) -> Result<(Forecast, Estimate), Faults> {
    let forecast = forecast::forecast(sheet, now)?;
    let estimate = pricing::estimate(&forecast).map_err(|error| forecast::refused(sheet, &error, now))?;
    Ok((forecast, estimate))
}

fn worked_out(sheet: &Sheet, now: DateTime<Utc>) -> (Outcome<crate::views::public::EstimateResult>, Faults) {
    match computed(sheet, now) {
        Ok((forecast, estimate)) => {
            let share = address(urls::ESTIMATE, sheet);
            let csv = address(urls::ESTIMATE_CSV, sheet);
            let result = estimate_show::result(&forecast, &estimate, share, csv);
            (Outcome::Found(Box::new(result)), Faults::default())
        }
        Err(faults) if forecast::is_untouched(sheet) => {
            let text = "Say how much arrives on one channel at least: staff, cost and rates show here.";
            let nothing = NothingYet { title: "Nothing arrives yet".into(), text: text.into(), faults: Vec::new() };
            drop(faults);
            (Outcome::Nothing(nothing), Faults::default())
        }
        Err(faults) => (Outcome::Nothing(not_computed(&faults)), faults),
    }
}

/// What is wrong, each with a link to its field.
pub(super) fn not_computed(faults: &Faults) -> NothingYet {
    let links = faults.all().map(|(field, said)| {
        let href =
            if field.is_empty() { "#figures".into() } else { format!("#{}", crate::views::fields::id_of(field)) };
        Link::new(said, href)
    });
    NothingYet {
        title: "These figures do not fit together yet".into(),
        text: "Nothing is computed from figures that break a rule.".into(),
        faults: links.collect(),
    }
}

/// A path with every figure in its query.
pub(super) fn address(path: &str, sheet: &Sheet) -> String {
    let fields = sheet.fields();
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    urls::with_query(path, &pairs)
}

fn groups(sheet: &Sheet, faults: &Faults) -> Vec<FieldGroup> {
    let form = Form { sheet, faults };
    let mut groups: Vec<FieldGroup> = ChannelKind::ALL.into_iter().map(|kind| form.channel(kind)).collect();
    groups.extend([
        form.hours(),
        form.profile(),
        form.languages(),
        form.regions(),
        form.staff(),
        form.cost(),
        form.begin(),
    ]);
    groups
}

/// The fields, each with what was typed and what is wrong with it.
struct Form<'a> {
    sheet: &'a Sheet,
    faults: &'a Faults,
}

impl Form<'_> {
    fn figure(&self, name: &str, label: &str) -> Field {
        Field::figure(name, label, self.sheet.text(name)).error(self.faults.at(name))
    }

    fn text(&self, name: &str, label: &str) -> Field {
        Field::text(name, label, self.sheet.text(name)).error(self.faults.at(name))
    }

    fn channel(&self, kind: ChannelKind) -> FieldGroup {
        let (id, title, unit) = match kind {
            ChannelKind::Phone => ("g-phone", "Phone", "Calls a month"),
            ChannelKind::Chat => ("g-chat", "Chat", "Chats a month"),
            ChannelKind::Email => ("g-email", "E-mail", "E-mails a month"),
            ChannelKind::Messaging => ("g-messaging", "Messaging", "Messages a month"),
        };
        let name = |part: &str| format!("{}/{part}", kind.name());
        let volume = self.figure(&name("per_month"), unit);
        let times = vec![
            self.figure(&name("talk"), if kind == ChannelKind::Phone { "Talk time" } else { "Handling time" })
                .after("min")
                .placeholder("2:30"),
            self.figure(&name("after"), "Wrap-up").after("min").placeholder("0:30"),
        ];
        let mut rows = vec![vec![volume], times];
        if kind.is_live() {
            rows.push(vec![
                self.figure(&name("target"), "Answered").after("%"),
                self.figure(&name("within"), "within").after("s"),
            ]);
        } else {
            rows.push(vec![self.figure(&name("within_hours"), "Answered within").after("open h")]);
        }
        if kind == ChannelKind::Chat {
            rows.push(vec![self.figure("chat/at_once", "Chats at once for an agent").placeholder("1")]);
        }
        let volume = self.sheet.text(&name("per_month"));
        let summary = if volume.is_empty() { "none".into() } else { format!("{volume} a month") };
        FieldGroup::new(id, title, rows).summary(summary).open(kind == ChannelKind::Phone)
    }

    fn hours(&self) -> FieldGroup {
        let mut rows = vec![vec![self.text("zone", "Time zone").list("zones")]];
        let mut open = 0;
        for (day, name) in DAYS {
            let (from, to) = (format!("hours/{day}/from"), format!("hours/{day}/to"));
            open += i64::from(!self.sheet.text(&from).is_empty());
            rows.push(vec![
                self.text(&from, name).control(Control::Time),
                self.text(&to, &format!("{name} until")).control(Control::Time),
            ]);
        }
        FieldGroup::new("g-hours", "Hours of service", rows)
            .summary(format::counted(open, "day a week", "days a week"))
            .hint("Empty is closed. An end before the beginning is on the next day; 00:00 to 00:00 is the whole day.")
    }

    fn profile(&self) -> FieldGroup {
        let hours = self.text("profile/hours", "Weight of each hour, from 00:00").control(Control::Area);
        let days = self.text("profile/days", "Weight of each day, from Monday");
        let is_even = self.sheet.text("profile/hours").is_empty() && self.sheet.text("profile/days").is_empty();
        FieldGroup::new("g-profile", "Through day and week", vec![vec![hours], vec![days]])
            .summary(if is_even { "evenly" } else { "as weighted" })
            .hint("24 and 7 numbers; only how they compare matters. Empty is evenly over the open hours.")
    }

    fn languages(&self) -> FieldGroup {
        let rows = (0..self.rows_of("languages")).map(|index| {
            let name = |part: &str| format!("languages/{index}/{part}");
            vec![
                self.text(&name("name"), "Language"),
                self.figure(&name("share"), "Share").after("%"),
                self.figure(&name("cost"), "Agent hour").placeholder("as below"),
            ]
        });
        let named = self.sheet.entries("languages").map(|at| self.sheet.text(&format!("{at}/name")).to_owned());
        let named: Vec<String> = named.filter(|name| !name.is_empty()).collect();
        FieldGroup::new("g-languages", "Languages", rows.collect())
            .summary(if named.is_empty() { "one team".into() } else { named.join(", ") })
            .hint("Each language is a team of its own. The shares together are 100.")
    }

    fn regions(&self) -> FieldGroup {
        let mut rows = Vec::new();
        for index in 0..self.rows_of("regions") {
            let name = |part: &str| format!("regions/{index}/{part}");
            rows.push(vec![self.text(&name("name"), "Region"), self.figure(&name("share"), "Share").after("%")]);
            rows.push(vec![
                self.text(&name("zone"), "Its time zone").list("zones"),
                self.figure(&name("carriage"), "Carriage a minute"),
            ]);
        }
        let named = self.sheet.entries("regions").map(|at| self.sheet.text(&format!("{at}/name")).to_owned());
        let named: Vec<String> = named.filter(|name| !name.is_empty()).collect();
        FieldGroup::new("g-regions", "Regions", rows)
            .summary(if named.is_empty() { "one".into() } else { named.join(", ") })
            .hint("Each is served in the hours above, in its own time.")
    }

    /// What is filled in, and one more to fill.
    fn rows_of(&self, list: &str) -> usize {
        let filled = self.sheet.entries(list).filter(|at| !self.sheet.text(&format!("{at}/name")).is_empty()).count();
        (filled + 1).max(self.sheet.count(list)).clamp(2, 12)
    }

    fn staff(&self) -> FieldGroup {
        let rows = vec![
            vec![self.figure("busy", "Busy at most").after("%"), self.figure("away", "Away").after("%")],
            vec![self.figure("contract_hours", "Contract").after("h/mon"), self.figure("core", "Core team").after("%")],
        ];
        let (busy, away) = (self.sheet.text("busy"), self.sheet.text("away"));
        FieldGroup::new("g-staff", "Staff", rows)
            .summary(format!("{busy}% busy, {away}% away"))
            .hint("Core team: the share of the volume that the mixed model serves by the hour.")
    }

    fn cost(&self) -> FieldGroup {
        let rows = vec![
            vec![self.figure("agent_hour", "Agent hour"), self.text("currency", "Currency")],
            vec![self.figure("overhead", "Overhead").after("%"), self.figure("line", "Channel a month")],
            vec![self.figure("margin", "Margin").after("%"), self.figure("risk", "Volume risk").after("%")],
            vec![self.figure("refused", "Calls that find all channels busy").after("%")],
        ];
        let (hour, margin, currency) =
            (self.sheet.text("agent_hour"), self.sheet.text("margin"), self.sheet.text("currency"));
        FieldGroup::new("g-cost", "Cost and margin", rows)
            .summary(format!("{hour} {currency} an hour, {margin}%"))
            .open(true)
            .hint("Volume risk is added where the price depends on the volume.")
    }

    fn begin(&self) -> FieldGroup {
        let rows =
            vec![vec![self.figure("training_hours", "Training each").after("h"), self.figure("fixed", "Fixed, once")]];
        FieldGroup::new("g-begin", "To begin with", rows).summary("implementation fee")
    }
}
