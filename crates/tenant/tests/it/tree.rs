use crate::world::*;
use db::CustomerId;
use tenant::{
    NewOrganisation, OrganisationKind, TenantError, Upward, add_domain, chain_at, children_at, create_organisation,
    host_owner, set_parent, suspend_organisation, suspended_at_or_above,
};

#[tokio::test]
async fn an_organisation_reads_itself_back_and_nobody_else() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let other = world.organisation("other", OrganisationKind::Tenant).await;
    let tx = world.tx(acme).await;
    let found = tenant::organisation(&tx).await.unwrap();
    let new = new_organisation("acme", OrganisationKind::Tenant);
    assert_eq!(
        (found.id, &found.slug, found.currency, found.round_calls_to),
        (acme, &new.slug, new.currency, new.round_calls_to)
    );
    assert_eq!((found.bank, found.address_lines, found.tax_percent), (new.bank, new.address_lines, new.tax_percent));
    let ptx = world.platform().await;
    assert_eq!(tenant::organisation_by_id(&ptx, other).await.unwrap().unwrap().name, "OTHER");
    assert_eq!(tenant::organisations(&ptx).await.unwrap().len(), 2);
}

#[tokio::test]
async fn an_organisation_is_refused_by_the_rule_it_breaks() {
    let world = World::new().await;
    world.organisation("taken", OrganisationKind::Tenant).await;
    let good = || new_organisation("acme", OrganisationKind::Tenant);
    for (new, refusal) in [
        (NewOrganisation { name: " ".into(), ..good() }, "a name must not be empty"),
        (NewOrganisation { slug: "Acme".into(), ..good() }, "a slug is 2 to 40 of a-z, 0-9 and -, not \"Acme\""),
        (NewOrganisation { slug: "taken".into(), ..good() }, "the slug \"taken\" is taken"),
        (NewOrganisation { time_zone: "Mars/Olympus".into(), ..good() }, "no time zone is called \"Mars/Olympus\""),
        (NewOrganisation { country: "de".into(), ..good() }, "a country is two capital letters, not \"de\""),
        (
            NewOrganisation { series_prefix: "TOOLONGPREFIX".into(), ..good() },
            "a series prefix is 1 to 8 of A-Z and 0-9, not \"TOOLONGPREFIX\"",
        ),
        (
            NewOrganisation { tax_percent: "-1".parse().unwrap(), ..good() },
            "a tax rate is between 0 and 100 percent, not -1",
        ),
    ] {
        let ptx = world.platform().await;
        let refused = create_organisation(&ptx, &new, at("2026-01-01T00:00:00Z")).await.unwrap_err();
        assert_eq!(refused.to_string(), refusal);
    }
}

#[tokio::test]
async fn the_chain_is_that_of_the_asked_instant() {
    let world = World::new().await;
    let operator = world.organisation("root", OrganisationKind::Operator).await;
    let north = world.organisation("north", OrganisationKind::Reseller).await;
    let south = world.organisation("south", OrganisationKind::Reseller).await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (in_north, in_south, north_in_root, south_in_root) =
        (CustomerId::new(), CustomerId::new(), CustomerId::new(), CustomerId::new());
    let (january, march) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
    let ptx = world.platform().await;
    set_parent(&ptx, north, operator, north_in_root, january).await.unwrap();
    set_parent(&ptx, south, operator, south_in_root, january).await.unwrap();
    set_parent(&ptx, acme, north, in_north, january).await.unwrap();
    set_parent(&ptx, acme, north, in_north, at("2026-02-01T00:00:00Z")).await.unwrap(); // where it is already: nothing changes
    set_parent(&ptx, acme, south, in_south, march).await.unwrap();
    let up = |child, book, customer_id| Upward { child, book, customer_id };
    let by_north = [up(acme, north, in_north), up(north, operator, north_in_root)];
    let by_south = [up(acme, south, in_south), up(south, operator, south_in_root)];
    for (instant, expected) in [
        ("2025-12-31T23:59:59Z", [].as_slice()),
        ("2026-01-01T00:00:00Z", by_north.as_slice()),
        ("2026-02-28T23:59:59.999999Z", by_north.as_slice()),
        ("2026-03-01T00:00:00Z", by_south.as_slice()),
    ] {
        assert_eq!(chain_at(&ptx, acme, at(instant)).await.unwrap(), expected, "{instant}");
    }
    assert_eq!(chain_at(&ptx, operator, march).await.unwrap(), []);
    let children: Vec<_> =
        children_at(&ptx, operator, march).await.unwrap().into_iter().map(|child| child.organisation.slug).collect();
    assert_eq!(children, ["north", "south"]);
    assert!(children_at(&ptx, north, march).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_tree_has_no_circle_and_parents_follow_each_other() {
    let world = World::new().await;
    let a = world.organisation("aa", OrganisationKind::Operator).await;
    let b = world.organisation("bb", OrganisationKind::Reseller).await;
    let c = world.organisation("cc", OrganisationKind::Tenant).await;
    let (january, march) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
    let ptx = world.platform().await;
    set_parent(&ptx, b, a, CustomerId::new(), january).await.unwrap();
    set_parent(&ptx, c, b, CustomerId::new(), march).await.unwrap();
    for (child, parent) in [(a, a), (a, b), (a, c), (b, c)] {
        let refused = set_parent(&ptx, child, parent, CustomerId::new(), march).await;
        assert!(matches!(refused, Err(TenantError::TreeMustHaveNoCircle)), "{refused:?}");
    }
    // Also where the step that would close the circle lies ahead: c is below b only from March on.
    let refused = set_parent(&ptx, b, c, CustomerId::new(), at("2026-02-01T00:00:00Z")).await;
    assert!(matches!(refused, Err(TenantError::TreeMustHaveNoCircle)), "{refused:?}");
    let refused = set_parent(&ptx, c, a, CustomerId::new(), march).await;
    assert!(matches!(refused, Err(TenantError::ParentMustStartLater)), "{refused:?}");
}

#[tokio::test]
async fn a_suspension_counts_for_the_whole_subtree() {
    let world = World::new().await;
    let operator = world.organisation("root", OrganisationKind::Operator).await;
    let north = world.organisation("north", OrganisationKind::Reseller).await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let (january, march) = (at("2026-01-01T00:00:00Z"), at("2026-03-01T00:00:00Z"));
    let ptx = world.platform().await;
    set_parent(&ptx, north, operator, CustomerId::new(), january).await.unwrap();
    set_parent(&ptx, acme, north, CustomerId::new(), january).await.unwrap();
    assert!(!suspended_at_or_above(&ptx, acme, march).await.unwrap());
    suspend_organisation(&ptx, north, march).await.unwrap();
    assert!(suspended_at_or_above(&ptx, acme, march).await.unwrap());
    assert!(!suspended_at_or_above(&ptx, operator, march).await.unwrap());
    suspend_organisation(&ptx, north, at("2026-04-01T00:00:00Z")).await.unwrap();
    assert!(suspended_at_or_above(&ptx, acme, march).await.unwrap()); // the first instant stands
    tenant::restore_organisation(&ptx, north, march).await.unwrap();
    assert!(!suspended_at_or_above(&ptx, acme, at("2027-01-01T00:00:00Z")).await.unwrap());
}

#[tokio::test]
async fn a_host_belongs_to_one_organisation_and_is_served_when_verified() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let other = world.organisation("other", OrganisationKind::Tenant).await;
    let ptx = world.platform().await;
    add_domain(&ptx, "calls.acme.example", acme, None).await.unwrap();
    assert_eq!(host_owner(&ptx, "calls.acme.example").await.unwrap(), None);
    // Who has proved nothing takes it from nobody; a name that was only claimed keeps nobody from proving it.
    let unproved = add_domain(&ptx, "calls.acme.example", other, None).await;
    assert!(matches!(unproved, Err(TenantError::HostIsTaken(_))));
    let proved = Some(at("2026-03-01T00:00:00Z"));
    add_domain(&ptx, "calls.acme.example", acme, proved).await.unwrap();
    assert_eq!(host_owner(&ptx, "CALLS.acme.example").await.unwrap(), Some(acme));
    // In service it is its owner's, whatever another can prove.
    let stolen = add_domain(&ptx, "calls.acme.example", other, proved).await;
    assert!(matches!(stolen, Err(TenantError::HostIsTaken(_))));
    assert_eq!(host_owner(&ptx, "calls.acme.example").await.unwrap(), Some(acme));
    assert_eq!(tenant::domains(&ptx, acme).await.unwrap().len(), 1);
    let refused = add_domain(&ptx, "acme.example/evil", acme, None).await;
    assert!(matches!(refused, Err(TenantError::HostMustBeAName(_))));
}

#[tokio::test]
async fn a_brand_is_read_back_and_a_hostile_one_refused() {
    let world = World::new().await;
    let acme = world.organisation("acme", OrganisationKind::Tenant).await;
    let tx = world.tx(acme).await;
    assert_eq!(tenant::brand(&tx).await.unwrap(), None);
    let colours = tenant::BrandColours {
        accent: "#7a2a5e".into(),
        accent_hover: "#641f4c".into(),
        on_accent: "#ffffff".into(),
        accent_text: "#7a2a5e".into(),
        accent_soft: "#f8edf4".into(),
        accent_dark: "#a8457f".into(),
        accent_text_dark: "#eda4cd".into(),
        accent_soft_dark: "#341d2b".into(),
        canvas: "#f8f5f2".into(),
        canvas_dark: "#121011".into(),
        radius: 4,
        logo_height: 24,
    };
    let svg = "<svg viewBox=\"0 0 1 1\"><path d=\"M0 0h1\"/></svg>";
    let brand = tenant::Brand {
        name: "Voxhouse".into(),
        logo_svg: Some(svg.into()),
        colours,
        support_email: Some("help@vox.example".into()),
    };
    for name in ["Voxhouse", "Voxhouse again"] {
        let brand = tenant::Brand { name: name.into(), ..brand.clone() };
        tenant::set_brand(&tx, &brand, at("2026-03-01T00:00:00Z")).await.unwrap();
        assert_eq!(tenant::brand(&tx).await.unwrap(), Some(brand));
    }
    let hostile = tenant::Brand { logo_svg: Some("<svg onload=x()></svg>".into()), ..brand };
    assert!(matches!(
        tenant::set_brand(&tx, &hostile, at("2026-03-01T00:00:00Z")).await,
        Err(TenantError::LogoMustBePlain(_))
    ));
}
