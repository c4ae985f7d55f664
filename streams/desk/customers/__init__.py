"""The stage `customers`: contacts, first-contact resolution, the complaint-risk index and its warning."""
