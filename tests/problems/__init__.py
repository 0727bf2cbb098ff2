"""Test problems as data: MINPACK's own (`mgh`) and NIST's certified ones (`nist`)."""
