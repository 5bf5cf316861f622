"""The room for texts that a model wrote, where tokens are estimated: passages are cut before them."""

from langchain_core.prompts import PromptTemplate

from graph.call_plan import reserves
from graph.config import load_settings
from graph.models.engines.request_engine import request_fitter
from nodes.model import Context, Prompt, Quote
from prompts.context import CONTEXT

CONFIG = load_settings("semantic_cot", "embedded", []).config
# 256 tokens of English, as long as a reply can be, have about 1,100 bytes.
DRAFT = "\n".join(
    f"{number:2}. " + "A line of an answer about lists in Python. " * 2 for number in range(12)
)
STEP = PromptTemplate.from_template("Draft:\n{draft}\nPoints:\n{points}\nImprove the draft.")


def test_texts_of_full_length_are_whole_and_passages_are_cut():
    assert 1_000 < len(DRAFT) < 1_152
    passages = tuple(
        Quote(f"[{n}] title", "A sentence of a long passage. " * 230) for n in (1, 2, 3, 4, 5)
    )
    context = Context(CONTEXT, "How do I sort?", "b", passages, reserves(CONFIG))
    prompt = Prompt(STEP, cuttable={"draft": DRAFT, "points": DRAFT}, context=context)
    fitted = request_fitter(4_096).fit(prompt, CONFIG.generation.max_new_tokens)
    assert fitted.text.count(DRAFT) == 2
    assert fitted.cut_tokens > 0
