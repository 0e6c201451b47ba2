//! The table of wrong `Type=`: what a unit declares against what its program does. Each cell is made on real hosts,
//! with an old and a new systemd, shows itself as docs/units.md says, and the rules name its cause and its fix.

mod first; // doctor on each cell
mod making; // a cell on a host, and how it stands
mod record; // what was seen, kept for the rules' own tests
mod seen; // the rules on each cell
mod table; // the cells
mod told; // the table in the documentation
