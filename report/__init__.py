"""What a reader gets: tables, figures and the page, from scores (and, for pictures, images)."""
