"""Visit links, questionnaires, ratings, the release of answers, and the index."""
