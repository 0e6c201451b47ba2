//! Shapes of values that more than one table uses, as patterns that never refuse what `names`, `paths` and `target` take.
//! What takes a value is not here.

use super::reader::Shape;

pub(super) const APP: Shape = Shape::Like("^[a-z0-9][a-z0-9-]{0,30}$");
pub(super) const HOST: Shape = Shape::Like("^[^-\\s][^\\s]*$");
pub(super) const FINGERPRINT: Shape = Shape::Like("^SHA256:[A-Za-z0-9+/]{43}$");
pub(super) const ABSOLUTE: Shape = Shape::Like("^/[^\\s]*[^\\s/]$");
pub(super) const URL_PATH: Shape = Shape::Like("^/[^\\s]*$");
pub(super) const SERVICE_UNIT: Shape = Shape::Like("^[A-Za-z0-9_][A-Za-z0-9_.@-]*\\.service$");
pub(super) const TEMPLATE_UNIT: Shape = Shape::Like("^[A-Za-z0-9_][A-Za-z0-9_.-]*@\\.service$");
pub(super) const SOCKET_UNIT: Shape = Shape::Like("^[A-Za-z0-9_][A-Za-z0-9_.@-]*\\.socket$");
pub(super) const DURATION: Shape = Shape::Like("^(0|[1-9][0-9]*)(ms|s|m|min|h)$");
pub(super) const SHARED_DIR: Shape = Shape::Like("^([^/~?]|[^/~][^\\n]*[^/?])$");
pub(super) const SHARED_FILE: Shape = Shape::Like("^[^/~]([^\\n]*[^/])?$");
/// The name of an environment or a router.
pub(super) const NAME: Shape = Shape::Like("^[a-z0-9_][a-z0-9_-]{0,30}$");
pub(super) const SOCKET_PATH: Shape = Shape::Like("^/[A-Za-z0-9/._+@-]*[A-Za-z0-9._+@-]$");
pub(super) const GLOBS: Shape = Shape::List(&Shape::Like("^[^!]"));
pub(super) const URL: Shape = Shape::Like("^[Hh][Tt][Tt][Pp][Ss]?://[^\\s]+$");
/// `host:port`; an instance's own port is filled in.
pub(super) const ADDRESS: Shape = Shape::Like("^[^\\s@]+:([0-9]+|\\{port\\})$");
