"""Everything the first visit needs."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.create_table(
        "kept_replies",
        sa.Column("key_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("subject", sa.String(length=32), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_kept_replies"),
    )
    op.create_index("ix_kept_replies_at", "kept_replies", ["at"], unique=False)
    op.create_index("ix_kept_replies_subject", "kept_replies", ["subject"], unique=False)

    op.create_table(
        "offices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("unit_code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("policy", sa.String(length=32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("business_date", sa.Date(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_offices"),
        sa.UniqueConstraint("code", name="uq_offices_code"),
    )
    op.create_index("ix_offices_unit_code", "offices", ["unit_code"], unique=False)

    op.create_table(
        "rating_drafts",
        sa.Column("nullifier", sa.LargeBinary(length=16), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nullifier", name="pk_rating_drafts"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rating_drafts_closes_at", "rating_drafts", ["closes_at"], unique=False)

    op.create_table(
        "setup_codes",
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code_hash", name="pk_setup_codes"),
    )
    op.create_table(
        "unit_successions",
        sa.Column("old_code", sa.String(length=8), nullable=False),
        sa.Column("new_code", sa.String(length=8), nullable=False),
        sa.Column("effective", sa.Date(), nullable=False),
        sa.Column("share", sa.Numeric(precision=7, scale=6), nullable=True),
        sa.Column("main", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("old_code", "new_code", "effective", name="pk_unit_successions"),
    )
    op.create_index("ix_unit_successions_new_code", "unit_successions", ["new_code"], unique=False)

    op.create_table(
        "units",
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("parent_code", sa.String(length=8), nullable=True),
        sa.Column("former_parents", sa.String(length=200), nullable=True),
        sa.Column("folded", sa.String(length=200), nullable=False),
        sa.Column("sort_key", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("code", "valid_from", name="pk_units"),
    )
    op.create_index("ix_units_folded", "units", ["folded"], unique=False)
    op.create_index("ix_units_parent_code", "units", ["parent_code"], unique=False)

    op.create_table(
        "answer_tallies",
        sa.Column("unit_code", sa.String(length=8), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("questionnaire", sa.String(length=32), nullable=False),
        sa.Column("question", sa.String(length=32), nullable=False),
        sa.Column("n1", sa.Integer(), nullable=False),
        sa.Column("n2", sa.Integer(), nullable=False),
        sa.Column("n3", sa.Integer(), nullable=False),
        sa.Column("n4", sa.Integer(), nullable=False),
        sa.Column("n5", sa.Integer(), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_answer_tallies_office_id_offices"),
        sa.PrimaryKeyConstraint(
            "unit_code",
            "office_id",
            "service_id",
            "week",
            "kind",
            "questionnaire",
            "question",
            name="pk_answer_tallies",
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answers",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("unit_code", sa.String(length=8), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("channel", sa.String(length=12), nullable=False),
        sa.Column("questionnaire", sa.String(length=32), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_answers_office_id_offices"),
        sa.PrimaryKeyConstraint("key", name="pk_answers"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("unit_code", sa.String(length=8), nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_api_tokens_office_id_offices"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_api_tokens_secret_hash"),
    )
    op.create_table(
        "counters",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("pause_reason", sa.String(length=120), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_counters_office_id_offices"),
        sa.PrimaryKeyConstraint("id", name="pk_counters"),
        sa.UniqueConstraint("office_id", "code", name="uq_counters_office_id_code"),
    )
    op.create_table(
        "office_events",
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_office_events_office_id_offices"),
        sa.PrimaryKeyConstraint("office_id", "revision", name="pk_office_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "priority_classes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("head_start_min", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_priority_classes_office_id_offices"),
        sa.PrimaryKeyConstraint("id", name="pk_priority_classes"),
        sa.UniqueConstraint("office_id", "code", name="uq_priority_classes_office_id_code"),
    )
    op.create_table(
        "rating_inbox",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("levels", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_rating_inbox_office_id_offices"),
        sa.PrimaryKeyConstraint("key", name="pk_rating_inbox"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rating_rights",
        sa.Column("nullifier", sa.LargeBinary(length=16), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("closes_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_rating_rights_office_id_offices"),
        sa.PrimaryKeyConstraint("nullifier", name="pk_rating_rights"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_rating_rights_closes_on", "rating_rights", ["closes_on"], unique=False)

    op.create_table(
        "rights_tallies",
        sa.Column("unit_code", sa.String(length=8), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("week", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("opened", sa.Integer(), nullable=False),
        sa.Column("rated", sa.Integer(), nullable=False),
        sa.Column("expired", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_rights_tallies_office_id_offices"),
        sa.PrimaryKeyConstraint("unit_code", "office_id", "service_id", "week", "kind", name="pk_rights_tallies"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "series",
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_series_office_id_offices"),
        sa.PrimaryKeyConstraint("office_id", "business_date", "prefix", name="pk_series"),
    )
    op.create_table(
        "services",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("floor_s", sa.Integer(), nullable=False),
        sa.Column("daily_limit", sa.Integer(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_services_office_id_offices"),
        sa.PrimaryKeyConstraint("id", name="pk_services"),
        sa.UniqueConstraint("office_id", "code", name="uq_services_office_id_code"),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=24), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=True),
        sa.Column("unit_code", sa.String(length=8), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_staff_office_id_offices"),
        sa.PrimaryKeyConstraint("id", name="pk_staff"),
        sa.UniqueConstraint("username", name="uq_staff_username"),
    )
    op.create_table(
        "counter_services",
        sa.Column("counter_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("delay_min", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["counter_id"], ["counters.id"], name="fk_counter_services_counter_id_counters"),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name="fk_counter_services_service_id_services"),
        sa.PrimaryKeyConstraint("counter_id", "service_id", name="pk_counter_services"),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name="fk_staff_sessions_staff_id_staff"),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_staff_sessions"),
    )
    op.create_index("ix_staff_sessions_staff_id", "staff_sessions", ["staff_id"], unique=False)

    op.create_table(
        "tickets",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("office_id", sa.Integer(), nullable=False),
        sa.Column("service_id", sa.Integer(), nullable=False),
        sa.Column("priority_id", sa.Integer(), nullable=True),
        sa.Column("counter_id", sa.Integer(), nullable=True),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("prefix", sa.String(length=4), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("has_priority", sa.Boolean(), nullable=False),
        sa.Column("virtual_arrival", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("view_id", sa.LargeBinary(length=16), nullable=True),
        sa.Column("nullifier", sa.LargeBinary(length=16), nullable=True),
        sa.ForeignKeyConstraint(["counter_id"], ["counters.id"], name="fk_tickets_counter_id_counters"),
        sa.ForeignKeyConstraint(["office_id"], ["offices.id"], name="fk_tickets_office_id_offices"),
        sa.ForeignKeyConstraint(
            ["priority_id"], ["priority_classes.id"], name="fk_tickets_priority_id_priority_classes"
        ),
        sa.ForeignKeyConstraint(["service_id"], ["services.id"], name="fk_tickets_service_id_services"),
        sa.PrimaryKeyConstraint("id", name="pk_tickets"),
        sa.UniqueConstraint(
            "office_id", "business_date", "prefix", "ordinal", name="uq_tickets_office_id_business_date_prefix_ordinal"
        ),
        sa.UniqueConstraint("view_id", name="uq_tickets_view_id"),
    )
    op.create_index(
        "ix_tickets_office_id_business_date_state", "tickets", ["office_id", "business_date", "state"], unique=False
    )
    op.create_index("ix_tickets_office_id_called_at", "tickets", ["office_id", "called_at"], unique=False)
    op.create_index(
        "ix_tickets_service_id_state_finished_at", "tickets", ["service_id", "state", "finished_at"], unique=False
    )
    op.create_index(
        "ix_tickets_waiting",
        "tickets",
        ["service_id", "has_priority", "virtual_arrival", "revision"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_tickets_at_counter",
        "tickets",
        ["counter_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('called', 'serving')"),
        postgresql_where=sa.text("state IN ('called', 'serving')"),
    )


def downgrade() -> None:
    op.drop_table("tickets")
    op.drop_table("staff_sessions")
    op.drop_table("counter_services")
    op.drop_table("staff")
    op.drop_table("services")
    op.drop_table("series")
    op.drop_table("rights_tallies")
    op.drop_table("rating_rights")
    op.drop_table("rating_inbox")
    op.drop_table("priority_classes")
    op.drop_table("office_events")
    op.drop_table("counters")
    op.drop_table("api_tokens")
    op.drop_table("answers")
    op.drop_table("answer_tallies")
    op.drop_table("units")
    op.drop_table("unit_successions")
    op.drop_table("setup_codes")
    op.drop_table("rating_drafts")
    op.drop_table("offices")
    op.drop_table("kept_replies")
    op.drop_table("installation")
