"""What belongs to a customer: contacts, first-contact resolution, the complaint-risk index and its warning."""
