//! What a table of keys is. Each kind of map in `deploy.yml` has one table, which is the list of its keys (`reader` knows
//! no others), the shape of each (`schema` tells editors) and how each becomes a value. A test holds `deploy.example.yml`
//! against all tables.

/// Makes the list of keys and the function that reads them, from lines of one of these forms:
///
/// - `must KEY: "example" as shape => how`: what `how` makes of the value.
/// - `may KEY: "example" as shape => how`: the same, or `None` when the file does not have the key.
/// - `or(default) KEY: "example" as shape => how`: the same, or the default.
/// - `own KEY: "example" as shape => value`: an `Option` made from the whole map, and from the keys above it.
///
/// Every key is read before one that is wrong ends it, so that all problems are noted.
macro_rules! keys {
    (
        $(#[$doc:meta])*
        $keys:ident, fn $read:ident($map:ident $(, $arg:ident: $type:ty)*) -> $out:ty {
            $($form:ident $(($default:expr))? $key:ident: $example:literal as $shape:expr => $how:expr,)*
        }
        $result:expr
    ) => {
        $(#[$doc])*
        pub(super) const $keys: crate::config::reader::Keys = &[$(crate::config::reader::Key {
            name: stringify!($key),
            example: concat!(stringify!($key), ": ", $example),
            must: keys!(@must $form),
            shape: $shape,
        }),*];

        fn $read($map: &crate::config::reader::Map<'_> $(, $arg: $type)*) -> Option<$out> {
            $(let $key = keys!(@$form $map, $key, $how $(, $default)?);)*
            $(#[allow(unused_variables)] let $key = $key?;)*
            Some($result)
        }
    };
    (@must must) => { true };
    (@must $form:ident) => { false };
    (@must $map:ident, $key:ident, $how:expr) => { $map.get(stringify!($key)).and_then($how) };
    (@may $map:ident, $key:ident, $how:expr) => {
        $map.get(stringify!($key)).map_or(Some(None), |value| Some(value).and_then($how).map(Some))
    };
    (@or $map:ident, $key:ident, $how:expr, $default:expr) => {
        $map.get(stringify!($key)).map_or_else(|| Some($default), $how)
    };
    (@own $map:ident, $key:ident, $how:expr) => { $how };
}
pub(super) use keys;

#[cfg(test)]
mod tests {
    use super::super::{health, prepare, probe, router, service, top, trial};
    use crate::config::reader::Keys;

    const ALL: [Keys; 11] = [
        top::TOP,
        top::SHARED,
        top::MIGRATE,
        top::HOOKS,
        prepare::PREPARE,
        top::VERIFY,
        service::SERVICE,
        health::HEALTH,
        trial::TRIAL,
        probe::UNIX,
        router::ROUTER,
    ];

    #[test]
    fn the_example_shows_and_explains_every_key() {
        for key in ALL.into_iter().flatten() {
            let written = format!("{}:", key.name);
            let shown = crate::config::EXAMPLE.lines().any(|line| {
                let line = line.trim_start_matches([' ', '#', '-']);
                line.starts_with(&written)
            });
            assert!(shown, "deploy.example.yml does not have `{}`", key.name);
        }
    }
}
