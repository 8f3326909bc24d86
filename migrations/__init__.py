"""Schema changes, in order; run by `tadachi migrate`."""
