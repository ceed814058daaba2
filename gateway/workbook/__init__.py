"""工作簿 Spreadsheets in and out: referral templates, statements and reports."""
