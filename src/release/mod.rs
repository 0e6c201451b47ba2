//! A release: its id, its manifest, and how a directory or an archive is packed. Local work only; no host.
