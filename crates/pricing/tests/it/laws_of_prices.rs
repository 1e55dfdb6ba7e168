//! Quantities: rating in pieces gives what rating whole gives, for every model.

use std::collections::BTreeMap;

use money::{Currency, Decimal};
use pricing::{Cliff, Exact, Model, PercentPrice, PercentTier, Price, RoundTo, Segment, StairTier, Tier, Usage};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = Decimal> {
    (0i64..1_000_000, 0u32..5).prop_map(|(mantissa, scale)| Decimal::new(mantissa, scale))
}

/// Ends of tiers that rise, the last one open.
fn ends() -> impl Strategy<Value = Vec<Option<Decimal>>> {
    prop::collection::vec(1i64..10_000, 0..4).prop_map(|gaps| {
        let mut end = 0;
        let closed = gaps.into_iter().map(|gap| {
            end += gap;
            Some(Decimal::new(end, 1))
        });
        closed.chain([None]).collect()
    })
}

fn tiers() -> impl Strategy<Value = Vec<Tier>> {
    ends().prop_flat_map(|ends| {
        let count = ends.len();
        prop::collection::vec((number(), number()), count).prop_map(move |numbers| {
            ends.iter().zip(numbers).map(|(up_to, (unit, flat))| Tier { up_to: *up_to, unit, flat }).collect()
        })
    })
}

fn model() -> impl Strategy<Value = Model> {
    let percent = |tiers: Vec<Tier>| {
        let tier = |tier: Tier| PercentTier { up_to: tier.up_to, percent: tier.unit, flat: tier.flat };
        Model::GraduatedPercent { tiers: tiers.into_iter().map(tier).collect() }
    };
    let stairs = |tiers: Vec<Tier>| {
        let tier = |tier: Tier| StairTier { up_to: tier.up_to, amount: tier.flat };
        Model::Stairstep { tiers: tiers.into_iter().map(tier).collect() }
    };
    prop_oneof![
        number().prop_map(|unit| Model::PerUnit { unit }),
        tiers().prop_map(|tiers| Model::Graduated { tiers }),
        tiers().prop_map(|tiers| Model::Volume { tiers }),
        tiers().prop_map(percent),
        tiers().prop_map(stairs),
        (1i64..5_000, number(), number()).prop_map(|(size, amount, free)| Model::Package {
            size: Decimal::new(size, 2),
            amount,
            free
        }),
        (number(), number(), prop::option::of(number())).prop_map(|(rate, fixed_per_event, free_amount)| {
            Model::Percent(PercentPrice { rate, fixed_per_event, free_amount, ..PercentPrice::default() })
        }),
    ]
}

fn price() -> impl Strategy<Value = Price> {
    let leaf = (model(), prop::option::of(number()), prop::option::of(number()), any::<bool>()).prop_map(
        |(model, minimum, above, flat_at_zero)| {
            let maximum = above.map(|above| minimum.unwrap_or_default() + above);
            Price { model, minimum, maximum, flat_at_zero }
        },
    );
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_flat_map(move |cases| {
            inner.clone().prop_map(move |default| Price {
                model: Model::By {
                    dimension: "language".to_owned(),
                    cases: cases.clone(),
                    default: Some(Box::new(default)),
                },
                minimum: None,
                maximum: None,
                flat_at_zero: false,
            })
        })
    })
}

fn usage(quantity: Decimal, already_used: Decimal) -> Usage {
    let dimensions = BTreeMap::from([("language".to_owned(), "a".to_owned())]);
    Usage { already_used, dimensions, ..Usage::of(quantity) }
}

proptest! {
    #[test]
    fn pieces_sum_to_the_whole_in_every_model(price in price(), pieces in prop::collection::vec(number(), 1..6)) {
        prop_assume!(!pieces[0].is_zero()); // otherwise what is due at zero would be due twice
        let mut used = Decimal::ZERO;
        let mut sum = Exact::zero();
        for piece in pieces {
            sum = sum.plus(&price.exact(&usage(piece, used)).unwrap());
            used += piece;
        }
        let whole = price.exact(&usage(used, Decimal::ZERO)).unwrap();
        // A flat that is due at zero is in the first piece already, and `price(0)` is taken off nowhere.
        prop_assert_eq!(sum, whole);
    }

    #[test]
    fn graduated_tiers_are_the_sum_of_their_slices(tiers in tiers(), quantity in number()) {
        let slices = tiers.iter().scan(Decimal::ZERO, |below, tier| {
            let top = tier.up_to.unwrap_or(quantity).min(quantity);
            let within = (top - *below).max(Decimal::ZERO);
            *below = top.max(*below);
            Some(within * tier.unit + if within.is_zero() { Decimal::ZERO } else { tier.flat })
        });
        let expected: Decimal = slices.sum();
        let price = Price { model: Model::Graduated { tiers: tiers.clone() }, minimum: None, maximum: None, flat_at_zero: false };
        prop_assert_eq!(price.amount(quantity, Decimal::ZERO, &BTreeMap::new()).unwrap(), expected.normalize());
    }

    #[test]
    fn a_price_written_and_read_is_the_same(price in price()) {
        let document = serde_json::to_value(&price).unwrap();
        prop_assert_eq!(&Price::from_json(&document).unwrap(), &price);
        prop_assert_eq!(&serde_json::from_str::<Price>(&document.to_string()).unwrap(), &price);
    }

    #[test]
    fn limits_hold_and_the_explanation_ends_in_the_amount(price in price(), quantity in number()) {
        let usage = usage(quantity, Decimal::ZERO);
        let amount = price.exact(&usage).unwrap();
        if let Some(maximum) = price.maximum {
            prop_assert!(amount <= Exact::from(maximum));
        }
        if let Some(minimum) = price.minimum.filter(|_| !quantity.is_zero()) {
            prop_assert!(amount >= Exact::from(minimum));
        }
        let explanation = price.explain(&usage).unwrap();
        prop_assert_eq!(explanation.steps.last().unwrap().amount, amount.to_decimal_places(10).unwrap());
    }

    #[test]
    fn more_costs_less_only_from_within_a_cliff(price in price(), quantity in number(), more in number()) {
        prop_assume!(!quantity.is_zero());
        let of = |quantity: Decimal| price.exact(&usage(quantity, Decimal::ZERO)).unwrap();
        let holds = |cliff: &&Cliff| cliff.cases.iter().all(|case| case == "a" || case.is_empty());
        let cliffs = price.cliffs().unwrap();
        let within = cliffs.iter().filter(holds).find(|cliff| cliff.above < quantity && quantity <= cliff.up_to);
        if of(quantity) > of(quantity + more) {
            prop_assert!(within.is_some(), "{} and {} of {:?}: {:?}", quantity, quantity + more, price, cliffs);
        }
    }

    #[test]
    fn within_a_cliff_a_little_beyond_its_bound_is_cheaper(model in model(), part in 1i64..=100) {
        let price = Price { model, minimum: None, maximum: None, flat_at_zero: false };
        for cliff in price.cliffs().unwrap() {
            // Not nearer to its beginning than a hundredth: there the two cost nearly the same.
            let quantity = cliff.above + (cliff.up_to - cliff.above) * Decimal::new(part, 2);
            let beyond = cliff.beyond + Decimal::new(1, 15);
            let of = |quantity: Decimal| price.exact(&usage(quantity, Decimal::ZERO)).unwrap();
            prop_assert!(of(quantity) > of(beyond), "{:?}", cliff);
            prop_assert_eq!(of(cliff.up_to).to_decimal_places(10).unwrap(), cliff.most.normalize());
        }
    }

    #[test]
    fn a_segment_of_the_whole_period_changes_nothing(price in price(), quantity in number(), days in 1u32..400) {
        let whole = usage(quantity, Decimal::ZERO);
        let segment = Usage { segment: Segment { days, of_days: days }, ..whole.clone() };
        prop_assert_eq!(price.money(&whole, Currency::EUR, RoundTo::Micros), price.money(&segment, Currency::EUR, RoundTo::Micros));
    }
}

#[test]
fn bounds_and_fixed_amounts_shrink_with_the_days_of_a_segment() {
    let document = serde_json::json!({"model": "graduated", "tiers": [
        {"up_to": "100", "unit": "1", "flat": "30"}, {"up_to": null, "unit": "0.5"}]});
    let price = Price::from_json(&document).unwrap();
    let usage = Usage { segment: Segment { days: 10, of_days: 30 }, ..Usage::of(Decimal::from(50)) };
    // The first tier ends at 100 x 10/30 = 33.333..: 33.333.. x 1 + 30 x 10/30 + 16.666.. x 0.5 = 33.333.. + 10 + 8.333..
    assert_eq!(price.money(&usage, Currency::EUR, RoundTo::Minor).unwrap().format_plain(), "51.67");
}

#[test]
fn nothing_used_costs_nothing_unless_the_price_says_so() {
    let tiers = r#""tiers":[{"up_to":"10","unit":"1","flat":"2"},{"up_to":null,"unit":"1"}]"#;
    for (document, at_zero) in [
        (r#"{"model":"per_unit","unit":"1","minimum":"5"}"#.to_owned(), "0"),
        (r#"{"model":"per_unit","unit":"1","minimum":"5","flat_at_zero":true}"#.to_owned(), "5"),
        (format!(r#"{{"model":"graduated",{tiers}}}"#), "0"),
        (format!(r#"{{"model":"graduated",{tiers},"flat_at_zero":true}}"#), "2"),
        (format!(r#"{{"model":"volume",{tiers}}}"#), "0"),
        (format!(r#"{{"model":"volume",{tiers},"flat_at_zero":true}}"#), "2"),
        (r#"{"model":"percent","rate":"1","fixed_per_event":"3"}"#.to_owned(), "0"),
    ] {
        let price: Price = serde_json::from_str(&document).unwrap();
        let amount = price.amount(Decimal::ZERO, Decimal::ZERO, &BTreeMap::new()).unwrap();
        assert_eq!(amount.to_string(), at_zero, "{document}");
    }
}
