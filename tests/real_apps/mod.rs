//! Real apps on real runtimes, under the units that `shipit unit generate` writes for them. The apps are those that
//! docs/apps/ shows: what a reader copies is what runs here.

mod app; // the apps: taken from the pages, built, with what `generate` is asked for them
mod deploys; // deployed and rolled back under load, sandboxed as generated
mod https; // docs/https.md, typed line by line
mod lifecycle; // ready when they say so, drained politely, killed when they hang
mod pages; // from a project to a rollback, typed as a page shows it
mod php; // docs/apps/php.md: php-fpm and nginx, as Debian has them
mod registry; // packages of npm and pip on a host without the internet
mod routed; // two instances from the generated template behind nginx
