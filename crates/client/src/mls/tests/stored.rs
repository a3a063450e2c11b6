//! The stored form. When a test here fails after an update of OpenMLS, old databases cannot be read any more as they
//! are: raise `storage::FORMAT`, and let devices with the older format rejoin (`Mls::load` treats it as lost).

use super::*;
use crate::mls::storage::FORMAT;
use message_pack::shape;
use rusqlite::types::ValueRef;

#[test]
fn the_shape_of_the_stored_state_does_not_change() {
    let (mut a, mut b) = pair();
    b.encrypt("one");
    a.self_update().unwrap();
    let mut lines = vec![format!("format {FORMAT}")];
    let mut statement = a.db.connection().prepare("SELECT kind, value FROM mls_state ORDER BY kind, key").unwrap();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let kind: u8 = row.get(0).unwrap();
        let ValueRef::Blob(value) = row.get_ref(1).unwrap() else { panic!("a blob") };
        assert_eq!(value[0], FORMAT);
        lines.push(format!("{kind}: {}", shape(&value[1..])));
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn state_of_an_unknown_format_is_as_good_as_lost() {
    let (mut a, mut b) = pair();
    let update = a.self_update().unwrap();
    a.merge();
    b.call(|_, tx| Ok(tx.execute("UPDATE mls_state SET value = CAST(x'ff' || substr(value, 2) AS BLOB)", [])?))
        .unwrap();
    let mut b = b.restart();
    assert_eq!(b.state(), State::Absent);
    assert!(matches!(b.process(&update.payload), Err(MlsError::NoGroup)));
    let rejoin = b.rejoin(&update.group_info).unwrap();
    b.merge();
    a.process(&rejoin.payload).unwrap();
    assert_in_touch(&mut a, &mut b);
}

/// Names and types of MessagePack, without the values.
mod message_pack {
    use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
    use std::fmt;

    pub fn shape(bytes: &[u8]) -> String {
        rmp_serde::from_slice::<Shape>(bytes).expect("it is MessagePack").0
    }

    struct Shape(String);

    impl<'de> Deserialize<'de> for Shape {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Shapes)
        }
    }

    struct Shapes;

    impl<'de> Visitor<'de> for Shapes {
        type Value = Shape;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }

        fn visit_unit<E>(self) -> Result<Shape, E> {
            Ok(Shape("null".into()))
        }

        fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
            Ok(Shape("bool".into()))
        }

        fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
            Ok(Shape("number".into()))
        }

        fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
            Ok(Shape("number".into()))
        }

        // Names of enum variants are strings, too: they are part of the form.
        fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
            Ok(Shape(format!("{text:?}")))
        }

        fn visit_bytes<E>(self, _: &[u8]) -> Result<Shape, E> {
            Ok(Shape("bytes".into()))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Shape, A::Error> {
            let mut shapes: Vec<String> = Vec::new();
            while let Some(Shape(shape)) = sequence.next_element()? {
                if shapes.last() != Some(&shape) {
                    shapes.push(shape);
                }
            }
            Ok(Shape(format!("[{}]", shapes.join(", "))))
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
            let mut shapes = Vec::new();
            while let Some((Shape(key), Shape(value))) = map.next_entry()? {
                shapes.push(format!("{}: {value}", key.trim_matches('"')));
            }
            Ok(Shape(format!("{{{}}}", shapes.join(", "))))
        }
    }
}
