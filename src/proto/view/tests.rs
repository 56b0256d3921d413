//! What is read here is what `prost` reads from the same bytes, whatever they are.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use prost::Message as _;
use prost_types::value::Kind;
use prost_types::{Duration, ListValue};

use super::*;
use crate::proto::v1;

// === the same message, its texts owned ===

fn subject(view: Subject<'_>) -> v1::Subject {
    let Subject { r#type, id } = view;
    v1::Subject { r#type: r#type.into(), id: id.into() }
}

fn action(view: Action<'_>) -> v1::Action {
    let Action { name, field, value } = view;
    v1::Action { name: name.into(), field: field.into(), value }
}

fn resource(view: Resource<'_>) -> v1::Resource {
    let Resource { r#type, id, project, properties, complete } = view;
    v1::Resource { r#type: r#type.into(), id: id.into(), project: project.into(), properties, complete }
}

fn check(view: CheckRequest<'_>) -> v1::CheckRequest {
    let CheckRequest { subject: who, action: what, resource: which, context, consistency, correlation_id } = view;
    v1::CheckRequest {
        subject: who.map(subject),
        action: what.map(action),
        resource: which.map(resource),
        context,
        consistency,
        correlation_id: correlation_id.into(),
    }
}

fn batch(view: BatchCheckRequest<'_>) -> v1::BatchCheckRequest {
    let BatchCheckRequest { subject: who, action: what, resource: which, context, consistency, items, more_items: 0 } =
        view
    else {
        panic!("so many items are not made here")
    };
    v1::BatchCheckRequest {
        subject: who.map(subject),
        action: what.map(action),
        resource: which.map(resource),
        context,
        consistency,
        items: items.into_iter().map(check).collect(),
    }
}

fn list(view: ListActionsRequest<'_>) -> v1::ListActionsRequest {
    let ListActionsRequest { subject: who, resource: which, context, include_denied } = view;
    v1::ListActionsRequest { subject: who.map(subject), resource: which.map(resource), context, include_denied }
}

/// As text: a number that is none equals itself, and errors show what they hold.
fn text<T: std::fmt::Debug>(read: Result<T, DecodeError>) -> String {
    format!("{read:?}")
}

fn same(bytes: &[u8]) -> Result<(), TestCaseError> {
    prop_assert_eq!(text(v1::CheckRequest::decode(bytes)), text(CheckRequest::read(bytes).map(check)));
    prop_assert_eq!(text(v1::BatchCheckRequest::decode(bytes)), text(BatchCheckRequest::read(bytes).map(batch)));
    prop_assert_eq!(text(v1::ListActionsRequest::decode(bytes)), text(ListActionsRequest::read(bytes).map(list)));
    Ok(())
}

// === bytes ===

fn varint(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    encoding::encode_varint(number, &mut bytes);
    bytes
}

fn field(tag: u64, wire_type: u64, content: &[u8]) -> Vec<u8> {
    let length = if wire_type == 2 { varint(content.len() as u64) } else { Vec::new() };
    [varint(tag << 3 | wire_type), length, content.to_vec()].concat()
}

/// Texts, most of them some.
fn some_text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => "[a-z]{0,12}".prop_map(String::into_bytes),
        2 => ".{0,6}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
        1 => Just(vec![b'x'; 200]),
    ]
}

/// One field, as the messages have it or otherwise.
fn some_field() -> impl Strategy<Value = Vec<u8>> {
    let tag = || prop_oneof![12 => 1..8_u64, 1 => 0..40_u64, 1 => Just((1 << 29) - 1)];
    let leaf = prop_oneof![
        8 => (tag(), some_text()).prop_map(|(tag, text)| field(tag, 2, &text)),
        2 => (tag(), prop_oneof![0..3_u64, any::<u64>()]).prop_map(|(tag, number)| field(tag, 0, &varint(number))),
        1 => (tag(), vec(any::<u8>(), 4)).prop_map(|(tag, bytes)| field(tag, 5, &bytes)),
        1 => (tag(), vec(any::<u8>(), 8)).prop_map(|(tag, bytes)| field(tag, 1, &bytes)),
        1 => (tag(), 3..8_u64).prop_map(|(tag, wire_type)| field(tag, wire_type, &[])),
        // A length that is wrong, and a number that never ends.
        1 => (tag(), any::<u8>(), some_text()).prop_map(|(tag, len, text)| {
            [varint(tag << 3 | 2), varint(len.into()), text].concat()
        }),
        1 => tag().prop_map(|tag| [varint(tag << 3), vec![0xff; 11]].concat()),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let tag = prop_oneof![6 => 1..7_u64, 1 => 0..40_u64];
        (tag, any::<bool>(), vec(inner, 0..5)).prop_map(|(tag, group, fields)| {
            let fields = fields.concat();
            if group && fields.len() % 3 == 0 {
                [field(tag, 3, &fields), field(tag, 4, &[])].concat()
            } else {
                field(tag, 2, &fields)
            }
        })
    })
}

// === whole messages ===

fn some_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(None),
        Just(Some(Kind::NullValue(0))),
        any::<f64>().prop_map(|number| Some(Kind::NumberValue(number))),
        ".{0,8}".prop_map(|text| Some(Kind::StringValue(text))),
        any::<bool>().prop_map(|flag| Some(Kind::BoolValue(flag))),
    ];
    leaf.prop_map(|kind| Value { kind }).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            btree_map(".{0,4}", inner.clone(), 0..4)
                .prop_map(|fields| Value { kind: Some(Kind::StructValue(Struct { fields })) }),
            vec(inner, 0..4).prop_map(|values| Value { kind: Some(Kind::ListValue(ListValue { values })) }),
        ]
    })
}

fn some_struct() -> impl Strategy<Value = Option<Struct>> {
    proptest::option::of(btree_map(".{0,4}", some_value(), 0..4).prop_map(|fields| Struct { fields }))
}

fn some_consistency() -> impl Strategy<Value = Option<Consistency>> {
    let duration = (any::<i64>(), any::<i32>()).prop_map(|(seconds, nanos)| Duration { seconds, nanos });
    let consistency = (proptest::option::of(duration), any::<u64>(), any::<bool>());
    proptest::option::of(consistency.prop_map(|(max_staleness, at_least_revision, refresh)| Consistency {
        max_staleness,
        at_least_revision,
        refresh,
    }))
}

fn some_check() -> impl Strategy<Value = v1::CheckRequest> {
    let subject = (".{0,8}", ".{0,30}").prop_map(|(r#type, id)| v1::Subject { r#type, id });
    let action = (".{0,8}", ".{0,8}", proptest::option::of(some_value())).prop_map(|(name, field, value)| v1::Action {
        name,
        field,
        value,
    });
    let resource = (".{0,8}", ".{0,40}", ".{0,8}", some_struct(), any::<bool>()).prop_map(
        |(r#type, id, project, properties, complete)| v1::Resource { r#type, id, project, properties, complete },
    );
    let parts = (proptest::option::of(subject), proptest::option::of(action), proptest::option::of(resource));
    (parts, some_struct(), some_consistency(), ".{0,40}").prop_map(
        |((subject, action, resource), context, consistency, correlation_id)| v1::CheckRequest {
            subject,
            action,
            resource,
            context,
            consistency,
            correlation_id,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn fields_in_any_order_and_of_any_type(fields in vec(some_field(), 0..6)) {
        same(&fields.concat())?;
    }

    #[test]
    fn whole_requests(request in some_check(), more in some_check(), cut in any::<prop::sample::Index>(), spoilt: u8) {
        let mut bytes = request.encode_to_vec();
        same(&bytes)?;
        // Twice the same message is one, merged.
        bytes.extend(more.encode_to_vec());
        same(&bytes)?;
        let Some(at) = (!bytes.is_empty()).then(|| cut.index(bytes.len())) else { return Ok(()) };
        same(&bytes[..at])?;
        bytes[at] = spoilt;
        same(&bytes)?;
    }

    #[test]
    fn whole_batches(shared in some_check(), items in vec(some_check(), 0..4), cut in any::<prop::sample::Index>()) {
        let v1::CheckRequest { subject, action, resource, context, consistency, correlation_id: _ } = shared;
        let batch = v1::BatchCheckRequest { subject, action, resource, context, consistency, items };
        let bytes = batch.encode_to_vec();
        same(&bytes)?;
        same(&bytes[..cut.index(bytes.len() + 1)])?;
    }
}

/// So many groups or messages in each other, in a field that the messages do not have or in one that they have.
fn nested(tag: u64, wire_type: u64, levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |inner, _| match wire_type {
        3 => [field(tag, 3, &inner), field(tag, 4, &[])].concat(),
        _ => field(tag, 2, &inner),
    })
}

/// Maps in maps: `Struct.fields` is an entry of a key and a `Value`, whose field 5 is a map again.
fn maps(levels: usize) -> Vec<u8> {
    (0..levels)
        .fold(Vec::new(), |inner, _| field(1, 2, &[field(1, 2, b"k"), field(2, 2, &field(5, 2, &inner))].concat()))
}

#[test]
fn nesting_ends_at_the_same_level() {
    for levels in 0..110 {
        for within in [&[][..], &[1], &[2], &[3], &[6], &[6, 1], &[6, 2], &[6, 3]] {
            let wrap = |inner: Vec<u8>| within.iter().rev().fold(inner, |inner, tag| field(*tag, 2, &inner));
            same(&wrap(nested(20, 3, levels))).unwrap();
            same(&wrap(nested(20, 2, levels))).unwrap();
            same(&wrap(nested(2, 2, levels))).unwrap();
            for tag in [3, 4] {
                same(&wrap(field(tag, 2, &maps(levels)))).unwrap();
            }
        }
    }
}

#[test]
fn the_last_text_counts_and_every_one_must_be_text() {
    let twice = [field(6, 2, b"one"), field(6, 2, b"two")].concat();
    assert_eq!(CheckRequest::read(&twice).unwrap().correlation_id, "two");
    let emptied = [field(6, 2, b"one"), field(6, 2, b"")].concat();
    assert_eq!(CheckRequest::read(&emptied).unwrap().correlation_id, "");
    let spoilt = [field(6, 2, &[0xff]), field(6, 2, b"two")].concat();
    let error = CheckRequest::read(&spoilt).unwrap_err().to_string();
    assert!(error.contains("CheckRequest.correlation_id: ") && error.contains("UTF-8"), "{error}");
    same(&twice).and(same(&emptied)).and(same(&spoilt)).unwrap();
}

#[test]
fn what_is_left_out_of_the_second_stays() {
    let request = [field(1, 2, &field(2, 2, b"ada")), field(1, 2, &field(1, 2, b"login"))].concat();
    let subject = CheckRequest::read(&request).unwrap().subject;
    assert_eq!(subject, Some(Subject { r#type: "login", id: "ada" }));
}

#[test]
fn items_that_are_too_many_are_counted_and_not_kept() {
    let item = field(6, 2, &field(6, 2, b"x"));
    let mut bytes = item.repeat(MOST_ITEMS + 3);
    let batch = BatchCheckRequest::read(&bytes).unwrap();
    assert_eq!((batch.items.len(), batch.more_items), (MOST_ITEMS, 3));
    bytes.extend(field(6, 2, &field(6, 2, &[0xff])));
    let refused = v1::BatchCheckRequest::decode(&bytes[..]).unwrap_err();
    assert_eq!(BatchCheckRequest::read(&bytes).unwrap_err(), refused, "nor are they passed over");
}
