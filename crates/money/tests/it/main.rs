//! Laws of money that hold for every amount, not for chosen ones.

use money::{Currency, Decimal, Money, Rounding};
use proptest::prelude::*;

fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(vec!["JPY", "EUR", "USD", "KWD", "CLF"]).prop_map(|code| code.parse().unwrap())
}

fn weights() -> impl Strategy<Value = Vec<Decimal>> {
    prop::collection::vec((0i64..1_000_000_000, 0u32..9), 1..9)
        .prop_map(|weights| weights.into_iter().map(|(mantissa, scale)| Decimal::new(mantissa, scale)).collect())
}

proptest! {
    #[test]
    fn an_allocation_sums_exactly_and_a_refund_mirrors_it(minor in -1_000_000_000i64..1_000_000_000, weights in weights(), currency in currency()) {
        prop_assume!(weights.iter().any(|weight| !weight.is_zero()));
        let amount = Money::from_minor(minor, currency).unwrap();
        let parts = amount.allocate(&weights).unwrap();
        prop_assert_eq!(parts.len(), weights.len());
        prop_assert_eq!(Money::sum(currency, parts.iter().copied()).unwrap(), amount);
        let mirrored: Vec<Money> = amount.checked_neg().unwrap().allocate(&weights).unwrap();
        for (part, mirror) in parts.iter().zip(&mirrored) {
            prop_assert_eq!(part.checked_neg().unwrap(), *mirror);
            prop_assert!(part.minor_units().is_ok());
        }
    }

    #[test]
    fn no_part_is_a_whole_unit_away_from_its_share(micros in 0i64..1_000_000_000_000, weights in weights()) {
        prop_assume!(weights.iter().any(|weight| !weight.is_zero()));
        let amount = Money::from_micros(micros, Currency::EUR);
        let whole: Decimal = weights.iter().sum();
        for (part, weight) in amount.allocate_micros(&weights).unwrap().iter().zip(&weights) {
            let exact = Decimal::from(micros) * weight / whole;
            let tolerance = Decimal::new(1_000_001, 6); // the division of the check itself is not exact
            prop_assert!((Decimal::from(part.micros()) - exact).abs() < tolerance);
        }
    }

    #[test]
    fn rounding_and_its_remainder_sum_to_the_amount(micros in -1_000_000_000_000i64..1_000_000_000_000, currency in currency()) {
        let amount = Money::from_micros(micros, currency);
        for rounding in [Rounding::HalfAwayFromZero, Rounding::Down] {
            let (rounded, remainder) = amount.to_minor(rounding).unwrap();
            prop_assert_eq!(rounded.checked_add(remainder).unwrap(), amount);
            prop_assert!(rounded.minor_units().is_ok());
            prop_assert!(rounding != Rounding::Down || !remainder.is_negative());
        }
    }

    #[test]
    fn text_and_json_give_the_amount_back(micros in any::<i64>(), currency in currency()) {
        let amount = Money::from_micros(micros, currency);
        prop_assert_eq!(Money::parse(&amount.format_plain(), currency).unwrap(), amount);
        prop_assert_eq!(Money::from_decimal(amount.as_decimal(), currency).unwrap(), amount);
        let json = serde_json::to_string(&amount).unwrap();
        prop_assert_eq!(serde_json::from_str::<Money>(&json).unwrap(), amount);
    }

    #[test]
    fn no_text_makes_a_number_panic(text in "\\PC{0,60}", digits in "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e[+-]?[0-9]{1,22})?") {
        let _ = money::parse_decimal(&text);
        if let Ok(number) = money::parse_decimal(&digits) {
            let _ = Money::from_decimal(number, Currency::EUR);
        }
    }
}
