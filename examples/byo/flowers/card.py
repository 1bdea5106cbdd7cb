"""A stage of our own: card.md says in a few lines what was trained and how good it is."""

from pipeline.stage import Outlook, stage


def look(context):
    """Done when the card is there."""
    if (context.folder / "card.md").is_file():
        return Outlook("card.md is written already", "done")
    return Outlook("would write card.md")


@stage(look=look)
def card(context, session):
    """Writes the card; `session` is what build makes, so it is known to come before."""
    parameters = sum(parameter.size for parameter in session.network.trainable_params())
    accuracy = context.manifest.metrics.get("accuracy", float("nan"))
    text = (
        f"# {context.job.model.name} on {context.job.dataset.name}\n\n"
        f"- {parameters} parameters\n- accuracy {accuracy:.4f} on the test set\n"
    )
    (context.folder / "card.md").write_text(text, encoding="utf-8")
    context.record(parameters=parameters)
