//! A local stand-in for Xsolla's servers.
