"""Run-ons and labels: what is cut from a reply, and what only looks like a turn and stays."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graph.models.verdict import parse_choice
from nodes.replies import clean
from tests.fakes.properties import examples
from tests.fakes.waiting import at_most_cpu_seconds

SORT = "Use sorted(d, key=d.get)."
CODE = "Use a lock:\n\n```python\nwith lock:\n    work()\n```"

RUN_ONS = {
    # phi-2: the exercises of its training texts, and its own format
    "phi-2 exercise": "\n\nExercise 2:\nWrite a function that sorts a list.",
    "phi-2 exercise in one line": "\nExercise 3: Explain the difference between a list and a tuple.",
    "phi-2 exercise with a full stop": "\n\nExercise 1. Sort the keys instead.",
    "phi-2 exercises": "\n\nFollow-up Exercises:\n1. Sort by two keys.",
    "phi-2 exercise in bold": "\n\n**Exercise 2:** Sort the keys instead.",
    "phi-2 exercise as a heading": "\n\n## Exercise 4:\nSort the keys instead.",
    "phi-2 instruct": "\nInstruct: How do I reverse a list?\nOutput: Use reversed().",
    "phi-2 instruct, cut": "\n\nInstruct:",
    "phi-2 question": "\n\nQuestion: How do I reverse a list?\nAnswer: Use reversed().",
    "phi-2 question with a number": "\nQuestion 2: What does sorted return?",
    # names with a colon
    "user": "\nUser: How do I reverse it?",
    "user without a mark": "\nUser: now do the same for a list of tuples",
    "user on a line of its own": "\n\nUser:\nHow do I reverse it?",
    "user and assistant": "\nUser: thanks\nAssistant: You are welcome.",
    "user in bold": "\n\n**User:** How do I reverse it?\n\n**Assistant:** Use reversed().",
    "user in capitals": "\nUSER: How do I reverse it? ASSISTANT: Use reversed().",
    "user, indented": "\n  User: thanks\nAssistant: welcome",
    "human": "\n\nHuman: How do I reverse it?\n\nAssistant: Use reversed().",
    "human, one word": "\nHuman: thanks",
    "human, cut": "\n\nHuman:",
    "the model asks itself": "\n\nAssistant: Is there anything else?",
    # Alpaca and Vicuna
    "alpaca": "\n\n### Instruction:\nReverse a list.\n\n### Response:\nUse reversed().",
    "alpaca without a colon": "\n\n### Instruction\nReverse a list.",
    "alpaca response": "\n\n### Response:\nUse sorted().",
    "human as a heading": "\n### Human: \nHow do I reverse it?",
    "user as a heading": "\n\n### User:\nHow do I reverse it?\n\n### Assistant:\nUse reversed().",
    "assistant as a heading": "\n### Assistant\nUse sorted().",
    # chat formats whose control tokens were left out in decoding
    "bare user": "\nuser\nHow do I reverse it?\nassistant\nUse reversed().",
    "bare user after a blank line": "\n\nuser\nThanks, and how do I reverse it?",
    "bare user at the end": "\nuser",
    "bare user, short": "\nuser\nthanks\nassistant\nYou are welcome.",
    "bare assistant": "\nassistant\nUse sorted() with a key.",
    "bare system": "\n\nsystem\nYou are a helpful assistant.",
    # control tokens as text
    "chatml": "<|im_end|>\n<|im_start|>user\nHow do I reverse it?<|im_end|>",
    "chatml on a line": "\n<|im_start|>user\nHow do I reverse it?",
    "chatml end alone": "<|im_end|>",
    "zephyr": "\n<|user|>\nHow do I reverse it?\n<|assistant|>\nUse reversed().",
    "llama 2": " [INST] How do I reverse it? [/INST] Use reversed().",
    "llama 2 with its end": "</s><s>[INST] How do I reverse it? [/INST]",
    "llama 3": "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nHow do I reverse it?",
    "gemma": "<end_of_turn>\n<start_of_turn>user\nHow do I reverse it?",
    "end of text": "<|endoftext|>Question: How do I reverse it?",
    "deepseek": "<\uff5cUser\uff5c>How do I reverse it?",
    "lower case": "\nuser: how do I reverse it?\nassistant: Use reversed().",
    "user with several paragraphs": "\n\nUser: I have this code.\n\n```python\nx = 1\n```\n\nIt fails.\n\nAssistant: Use y.\n\nIt works.",
    "human asks for more": "\n\nHuman: Explain the key.",
    "human thanks": "\nHuman: Thank you!",
    "human and assistant in paragraphs": "\n\nHuman: How do I reverse it?\n\nAssistant: Use reversed().\n\nIt returns an iterator.",
    "instruct with paragraphs": "\nInstruct: Write a test.\nOutput: Use pytest.\n\nIt finds the tests.",
    "exercise with its solution": "\n\nExercise 1:\nSort by value.\n\nSolution:\n\n```python\nsorted(d)\n```\n\nIt sorts.",
    "two exercises": "\n\nExercise 1: Sort by value.\n\nExercise 2: Reverse it.",
    "alpaca with paragraphs": "\n\n### Instruction:\nReverse it.\n\n### Response:\nUse reversed().\n\nIt is fast.",
    "Command R": "<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|USER_TOKEN|>How?",
    "phi-3": "<|end|>\n<|user|>\nHow do I reverse it?<|end|>",
    "mistral end": "</s>",
    "mistral end and turn": "</s>[INST] How do I reverse it?[/INST]",
    "llama 3 end on a line": "\n<|eot_id|>",
    "bare user asks": "\n\nuser\n\nCan you explain the key?",
    "bold user, colon outside": "\n\n**User**: How do I reverse it?",
    "question in bold": "\n\n**Question:** How do I reverse it?",
    "end of text, and a new text": "\n\n<|endoftext|>Write a story.",
    "unanswered question": "\n\nQ: How do I reverse a list?",
    # other forms of a label
    "user, space before the colon": "\nUser : How do I reverse it?",
    "user in brackets": "\n[User]: How do I reverse it?\n[Assistant]: Use reversed().",
    "user, wide colon": "\nUser\uff1aHow do I reverse it?",
    "user in italics": "\n*User:* How do I reverse it?\n*Assistant:* Use reversed().",
    "human in italics, colon outside": "\n_Human_: How do I reverse it?",
    "user, bold and italic": "\n\n***User:*** How do I reverse it?",
    "numbered question": "\n\nQ2: How do I reverse it?",
    "task": "\n\nTask: Reverse a list.",
    "numbered task": "\n\nTask 2: Write a function that reverses a list.",
    "numbered problem": "\n\nProblem 2: Reverse a list.",
    "numbered problem that asks": "\n\nProblem 3: How many items are in the list?",
    # what goes with the next turn
    "rule and user": "\n\n---\n\nUser: How do I reverse it?",
    "rule below a sentence": "\n---\n\nUser: How do I reverse it?",
    "rule right above": "\n\n***\n**User**: How do I reverse it?",
    "rule and control token": "\n\n***\n\n<|im_start|>user\nHow do I reverse it?",
    "system and user": "\n\nSystem: You are a helpful assistant.\n\nUser: How do I reverse it?",
    "system in bold, rule and user": "\n\n---\n**System:** You are a bot.\n**User:** thanks",
    # more control tokens
    "granite": "<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>How do I reverse it?",
    "llama 4": "<|eot|><|header_start|>user<|header_end|>\n\nHow do I reverse it?",
    "gemma, label glued": "\n<start_of_turn>userHow do I reverse it?",
    "eos": "<eos>",
    "eot": "<|eot|>",
    "eot in capitals": "<|EOT|>",
    "eos in brackets": "[EOS]",
    "eos on a line": "\n<eos>",
    "end of role": "<|end_of_role|>",
    "assistant end": "<|assistant_end|>",
}

KEPT = {
    # settings
    "ssh config": "Add this to ~/.ssh/config:\n\nHost github.com\n  HostName github.com\n  User: git",
    "ssh config, flat": "Host: github.com\nUser: git\nIdentityFile: ~/.ssh/id",
    "setting alone": "Set the account in the file.\nUser: git",
    "YAML": "name: app\nUser: bob\nPassword: secret",
    "YAML after a sentence": "Write this to the file.\n\nUser: bob\nRole: admin",
    "YAML with a map": "Write this.\n\nUser:\n  name: bob\n  role: admin",
    "YAML with sentences": "These are the fields:\n\nUser: the name of the account.\nHost: its server.",
    "fields": "There are two fields.\n\nUser: the account that logs in.\nHost: the server.",
    "HTTP": "It sends these lines:\nHost: x.org\nUser: alice",
    "assistant as a key": "The file names both.\nAssistant: gpt\nTemperature: 0.2",
    "human as a key": "The agreement is this.\nHuman: 95\nModel: 80",
    # logs and output
    "log": "The log says:\nUser: alice logged in from 10.0.0.1",
    "log lines": "Session: 12\nUser: alice logged in from 10.0.0.1\nSession: 13",
    "output": "The loop runs twice.\nOutput: 5",
    "response": "The server is asked once.\nResponse: 200 OK",
    "answer": "Both are lists.\n\nAnswer: use sorted().",
    "prompt of a program": "The program prints:\n\nQuestion: What is your name?",
    "dialogue": "The loop prints the dialogue:\n\nUser: hi, how are you?\nAssistant: I am fine.\n\nThen it ends.",
    "dialogue under a heading": "### Example\n\nUser: How are you?\n\nAssistant: I am fine.",
    # FAQ and headings
    "FAQ": "Question: why does it hang?\nThe lock is held.\n\nQuestion: who holds it?\nThe worker.",
    "FAQ with answers": "Q: why?\nA: The lock is held.\n\nQ: who?\nA: The worker.",
    "FAQ under a heading": "## FAQ\n\nQuestion: why does it hang?\n\nThe lock is held.\n\nQuestion: who?\n\nThe worker.",
    "one question as a heading": "Question: why does it hang?\n\nThe lock is held by the worker.",
    "request and response": "### Request\n\nGET /\n\n### Response\n\n200 OK",
    "user management": "### User management\n\nAdd the user first.",
    "instructions": "### Instructions\n\nInstall it.\n\n### Usage\n\nRun it.",
    "exercises of a course": "These exercises help:\n\nExercise 1: Sort a list.\nExercise 2: Reverse it.",
    # words
    "exercise caution": "Back up the table.\nExercise caution when you drop it.",
    "exercise as a verb": "Call close().\nExercise the error path as well.",
    "exercise in a sentence": "Read the book.\nExercise 2 shows the same.",
    "users": "Sort them.\nUser objects have names.",
    "the question": "Measure it.\nThe Question: is open.",
    "human readable": "Format it.\nHuman-readable: yes, with -h.",
    "assistants": "Use the API.\nAssistants have tools.",
    "list of names": "The tables are:\n\nuser\norder\nproduct",
    "list of columns": "Select these columns.\n\nid\nname\nuser\nemail",
    "wrapped word": "The command prints the name of the\nuser\nand exits with 0.",
    "bare word after a colon": "The role must be:\nuser",
    "system in prose": "It depends on the\nsystem\nthat runs it.",
    "bullets": "There are two roles.\n- User: reads posts.\n- Admin: writes posts.",
    "quotation": "He wrote this.\n> User: hi, how do I sort it?",
    # code
    "fenced chat": "Format it so:\n\n```text\nUser: How are you?\nAssistant: Fine.\n```\n\nThen send it.",
    "fenced chatml": "Use this template.\n\n```\n<|im_start|>user\nhi<|im_end|>\n```\n\nIt ends there.",
    "fenced with tildes": "So:\n\n~~~\n\nHuman: hi\n~~~\nDone.",
    "indented code": "Run this.\n\n    User: How do I log in here?\n    Human: x",
    "open fence": "Run this.\n\n```python\nx = 1\nQuestion: int = 5",
    "inline token": "Stop at `<|im_end|>` and at `[INST]`.",
    "token in a sentence": "The token <|im_end|> closes a turn.",
    "text between its tokens": "The text becomes <bos>Sort it.<eos>",
    "tokens in brackets": "The row is [BOS] a b [EOS] and then padding.",
    "eos in a sentence": "Append <eos> to each line.\n<eos> is one token.",
    "struck text": "It is <s>slow</s>\nfast.",
    "index": "x[INST] is a name",
}

ANSWERS = [
    "Q: How do I reverse a list?\nA: Use reversed().",
    "I will answer both.\n\nQuestion 1: Why does the loop stop?\nBecause of break.\n\nQuestion 2: Who calls it?\nThe worker.",
    "I will answer both.\n\nQuestion 1: Why does the loop stop?\nBecause of break.\n\nQuestion 2: Who calls it?",
    "Two things are wrong here.\n\n**Question 1: Why is it slow?**\n\nBecause it copies.\n\n**Question 2: Why does it fail?**\n\nThe list is empty.",
    "Use a FAQ list.\n\nQ: What is it?\n\nA: A list.\n\nQ: Who reads it?\n\nA: Users.",
    "A few-shot prompt can be written like this.\n\nQ: What is 2+2?\nA: 4\n\nQ: What is 3+3?\nA:",
    "Human: `ls -lh` prints sizes like 4K.\nMachine: `ls -l` prints bytes.",
    "Two formats.\n\nHuman: `ls -lh` prints sizes like 4K.\nMachine: `ls -l` prints bytes.",
    "Use `humanize`.\n\nHuman: 3 days ago\n\nIt prints the age of the file.",
    "{\nHuman: true\n}",
    "interface Chat {\n  Human: string\n  Bot: string\n}\n\nUse it.",
    "Classes in the game.\n\nHuman: balanced stats and skills\nOrc: strong, but slow",
    "The row holds this.\n\nExercise: bench press\n\nand the query finds it.",
    "LangChain prints the messages.\n\nSystem: You are a helpful bot.\nHuman: Tell me a joke about cats.\n\nSo the roles are right.",
    "# Setup\n\nDo it.\n\n## Instruction\n\nRun make.",
    "Roles of chat.\n\n### System\n\nSets it.\n\n### Assistant\n\nAnswers.\n\n### User\n\nAsks.",
    "The endpoint works as follows.\n\n### Response\n\n```json\n{}\n```",
    "The app prints a line.\n\nUser: Alice has 3 new messages.\n\nThis comes from the f-string.",
    "This prints all users.\n\nUser: Alice Smith, age 30\nUser: Bob Jones, age 31\n\nwhich is what you want.",
    "He is right.\n\nUser: you should read the docs first.\n\nThat was the comment of the moderator.",
    "System: sets the rules of the chat.\nUser: asks the question to the model.\nAssistant: answers the question.",
    "The roles.\n\nSystem: sets the rules of the chat.\nUser: asks the question to the model.\nAssistant: answers the question.",
    "assistant",
    "model",
    "</s>",
    "<|endoftext|>",
    "model\nview\ncontroller",
    "model\n=====\n\nIt holds the data.",
    "AI: the broad field of thinking machines.\nML: a part of AI that learns.",
    "Bot: a program that talks to people.\nUser: a person who talks to it.",
    "GPT-2's end token is\n\n<|endoftext|>\n\nSet it as pad token.",
    "The special tokens are:\n- <|endoftext|>\n- <|im_end|>\n- <|im_start|>",
    "stop:\n  - </s>\n  - [INST]\n  - <|im_end|>",
    "Llama: </s>\nGPT-2: <|endoftext|>",
    "The end token of GPT-2 is <|endoftext|>\nSet it as pad token.",
    "`<|im_end|>`\nends a turn.",
    "Use two tokens. <|im_end|> ends a turn.",
    "The prompt of phi-2 is:\n\nInstruct: <prompt>\nOutput:",
    "| model | token |\n|---|---|\n| GPT-2 | <|endoftext|> |",
    "The order is fixed.\n\nUser: first\nGroup: second",
    "Two entries.\n\nuser: bob\nrole: admin",
    "The chat is a list of dicts.\n\nuser: asks a question\nassistant: answers it",
    "The parser prints the prompt:\n\n### Instruction:\n{instruction}\n\n### Response:",
    "## Format\n\nText.\n\n### Response:\n\nA JSON object.",
    "The test has two parts.\n\nQuestion: What is a list?\n\nA list holds items in order.",
    "Q: Why?\nBecause of the lock.\n\nQ: How do I fix it?",
    "It logs the chat.\n\nUser: can you help?\nBot: yes\n\nThe log then ends.",
    "Set `pad_token` to </s> and train.",
    "The template is [INST] {prompt} [/INST] for Llama 2.",
    'Pad with "<|endoftext|>".',
    "1. <|im_start|>\n2. <|im_end|>",
    "const roles = [\nHuman: 1,\n]",
    "Format the age for people.\n\nHuman: 3 days",
    "The name of the token\n\n</s>\n\nis short.",
    "Output: 5\n\nThat is the sum.",
    "Assistant: a role of the model.\nSystem: a role of the program.",
    "The list holds these names.\n\nassistant\nuser\nsystem",
    "- Run it:\n\n      User: how are you?\n\n- Stop it.",
    "1. Format it:\n\n   ```text\n   User: how are you?\n   ```\n\n2. Send it.",
    "It is written so.\n\n```text\nHuman: how are you?",
    "**Exercise 1:** Sort it.\n\nUse sorted().\n\n**Exercise 2:** Reverse it.\n\nUse reversed().",
    "They are called `User: hi` and ``Human: `x` ``.",
    "System: Linux\nShell: bash",
    "<s>[INST] {prompt} [/INST]",
    "[INST] {prompt} [/INST]",
    "class User:\n    pass\n\nclass Human:\n    pass",
    "eos = </s>\nbos = <s>",
    # values that are no speech
    "Store messages.\nUser: your name\nAssistant: the bot's name\nas keys.",
    "Type your name.\nUser: input your name\nUser: input your age",
    "It asks twice.\nUser: please enter your name\nUser: please enter your age",
    "Fill in the form.\n\nUser: your account\n\nHuman: my name",
    # labels that the answer names
    "Set it so.\n\n```yaml\nUser: bob\n```\n\nUser: set it to your name.",
    'print("User: hi")\nUser: hi, how are you?',
    "The regex `^User:` works.\nUser: how are you? matches it.",
    "Pass `Human:` as the stop word.\n\nHuman: how are you?",
    "The template has Question: in it.\n\nQuestion: what is a list?",
    "input('**User**: ')\n\n**User:** how are you?",
    # lists
    "There are two.\n\nProblem 1: The loop never ends.\n\nProblem 2: The index is wrong.",
    "One is left.\n\nProblem 2: The list is empty, so max fails.",
    "I tested it.\n\nProblem 1: Find does not match.\n\nProblem 2: Sort is unstable.",
    "Do both.\n\nTask 1: Create the table.\n\nTask 2: Create the index.",
    "Do both.\n\n**Task:** Create the table.\n\n**Task:** Create the index.",
    "Do it first.\n\nTask 1: Create the table.",
    "Task 1 needs a loop.\n\nTask 2: Sort the list with sorted().",
    "Both tasks need a list.\n\nTask A is easy.\n\nTask 2: Return the list.",
    "Plan.\n\nTask: Sort the list\nSolution: sorted(x)",
    "Plan.\n\nTask: Sort the list\n\nAnswer: sorted(x)",
    "For problem 1, use a loop.\n\nProblem 2: Sort the list.",
    "## Task 1\n\nUse a loop.\n\nTask 2: Sort the list.",
    "The list is short.\n\nProblem 3: Sort the list\nSolution: sorted(x)",
    "The labels are as follows\n\nQuestion: the text of the question\nAnswer: the text of its answer",
    "In the log:\n\nSystem: You are a bot.\nUser: how?",
    "A: the list is copied, B: it is not.",
    "[Answer]: https://x.org/a",
    "Gradle has one.\nTask: build the jar before the tests.",
    "The board has one.\n\nTask: the report of this week.",
    "Sales by quarter.\n\nQ1: sales grew by five percent.\nQ2: sales fell by two percent.",
    "See the docs of [User].\n\n[User]: https://x.org/how-to",
    "Title\n---\n\nText.\n\n---",
    "**Example**\n**User:** How are you?",
    "Answer\n\n42",
    "Answer\nis a class of the module.",
    "Assistant\nand user are the roles.",
    "**Answer**\nis the name of the class.",
    "Hello\n---\n\nUse x.",
    # keys that are no label of the answer
    "assistant: gpt\ntemperature: 0.2",
    "answer: int = 42",
    "Assistant::new() makes one.",
    "Response: 200 OK\nServer: nginx",
    "A: 5\nB: 6",
    "A: The first one is right.\n\nB: The second one is wrong.",
    "A:",
    "# Answer\n\nUse it.\n\n# Example\n\nx",
    "### Response: JSON\n\nA list.\n\n### Errors\n\nNone.",
]
"""Answers that hold lines, headings or tokens like those of a chat."""

CUT = {
    "1. Use a.\n2. Use b\n\n<|endoftext|>Write a story.": "1. Use a.\n2. Use b",
    "<|user|>\nWhat is a dict?<|end|>\n<|assistant|>\nUse a dict.<|end|>": "Use a dict.",
    "[INST] What is a dict? [/INST] It is a mapping.": "It is a mapping.",
    "<start_of_turn>user\nWhat is a dict?<end_of_turn>\n<start_of_turn>model\nIt is a mapping.<end_of_turn>": "It is a mapping.",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWhat is a dict?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nIt is a mapping.<|eot_id|>": "It is a mapping.",
    "**Use a dict.**\n\nHuman: Thanks! And how do I sort a list?\n\nAssistant: Use sorted.\n\nHuman: ok, and then?": "**Use a dict.**",
    "The result is:\n\nInstruct: Write a function that sorts.\nOutput: x": "The result is:",
    "```python\n# sort it\nsorted(d)\n```\n\n### User:\nThanks, how do I reverse it?": "```python\n# sort it\nsorted(d)\n```",
    "Use sorted().\nuser: how do I reverse it?\nassistant: Use reversed().": "Use sorted().",
    "**Answer**: Use sorted().": "Use sorted().",
    "**Assistant**: Use sorted().": "Use sorted().",
    "### Answer\nUse sorted().": "Use sorted().",
    "Final Answer: Use sorted().": "Use sorted().",
    "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>Use sorted().<|END_OF_TURN_TOKEN|>": "Use sorted().",
    "Use sorted(d, key=d.get).\n\nQ: How do I reverse a list?": "Use sorted(d, key=d.get).",
    # keys and words that are spelled unlike the label
    "Set it.\n\n```yaml\nuser: root\n```\n\nUser: How do I sort a list?\nAssistant: Use sorted.": "Set it.\n\n```yaml\nuser: root\n```",
    "```python\ndef f(q: str): ...\n```\n\nQ: Why is it so slow?": "```python\ndef f(q: str): ...\n```",
    "The problem: you share it.\n\nProblem 2: Write a loop.": "The problem: you share it.",
    "My question: why?\n\nQuestion: How do I sort it?": "My question: why?",
    "The task: it waits.\n\nTask: Write a test.": "The task: it waits.",
    # several lines of the user
    "Use x.\n\nUser: How do I sort?\nUser: And how reverse?\nAssistant: So.": "Use x.",
    "Use x.\n\nUser: Thanks!\nUser: And how do I reverse it?\nAssistant: So.": "Use x.",
    "Use x.\n\nHuman: How do I sort?\nHuman: please, with a key\nAssistant: So.": "Use x.",
    # rules right below a word: only dashes make a heading
    "Hello\n***\nUser: how do I do it?": "Hello",
    "Hello\n___\nUser: how do I do it?": "Hello",
    "Hello\n*****\n\nUser: how do I do it?": "Hello",
    "Hello\n---\nUser: how do I do it?": "Hello\n---",
}

LABELLED = {
    "Assistant: ": SORT,
    "assistant\n": SORT,
    "ASSISTANT: ": SORT,
    "AI: ": SORT,
    "Bot: ": SORT,
    "Answer: ": SORT,
    "**Assistant:** ": SORT,
    "### Response:\n": SORT,
    "### Assistant\n": SORT,
    "<|im_start|>assistant\n": SORT,
    "<|assistant|>\n": SORT,
    "<start_of_turn>model\n": SORT,
    "[/INST] ": SORT,
    "<|start_header_id|>assistant<|end_header_id|>\n\n": SORT,
    "Assistant:\nAssistant: ": SORT,
    "User: How do I sort it?\nAssistant: ": SORT,
    "Human: How do I sort it?\n\nAssistant: ": SORT,
    "Instruct: How do I sort it?\nOutput: ": SORT,
    "### Instruction:\nSort it.\n\n### Response:\n": SORT,
    "<|im_start|>user\nHow do I sort it?<|im_end|>\n<|im_start|>assistant\n": SORT,
    "user\nHow do I sort it?\nassistant\n": SORT,
    "assistant: ": SORT,
    "Assistant:": SORT,
    "AI assistant: ": SORT,
    "AI Assistant:\n": SORT,
    "ASSISTANT : ": SORT,
    "Assistant\uff1a": SORT,
    "answer: ": SORT,
    "Final answer: ": SORT,
    "_Assistant_: ": SORT,
    "*Assistant:* ": SORT,
    "***Assistant:*** ": SORT,
    "**Final answer:** ": SORT,
    "[Assistant]: ": SORT,
    "### Assistant: ": SORT,
    "### Response: ": SORT,
    "## Answer: ": SORT,
    "# Answer\n\n": SORT,
    "Assistant\n\n": SORT,
    "Response: ": SORT,
    "A: ": SORT,
    "**A:** ": SORT,
    "**Response:** ": SORT,
    "Answer\n\n": SORT,
    "**Answer**\n\n": SORT,
    "\ufeffAssistant: ": SORT,
    "\u200bassistant\n": SORT,
    "\ufeff\n<|im_start|>assistant\n": SORT,
    "<start_of_turn>model": SORT,
    "<|start_of_role|>assistant<|end_of_role|>": SORT,
    "<|header_start|>assistant<|header_end|>\n\n": SORT,
    "<bos><start_of_turn>model\n": SORT,
    "[User]: How do I sort it?\n[Assistant]: ": SORT,
}


def test_the_tables_have_at_least_sixty_examples_of_both_kinds():
    assert len(RUN_ONS) >= 60
    assert len(KEPT) + len(ANSWERS) >= 60


@pytest.mark.parametrize("answer", [SORT, CODE], ids=["sentence", "code"])
@pytest.mark.parametrize("name", RUN_ONS)
def test_a_run_on_is_cut_where_the_next_turn_begins(name, answer):
    assert clean(answer + RUN_ONS[name]) == answer


@pytest.mark.parametrize("name", RUN_ONS)
def test_a_reply_that_is_only_a_run_on_is_not_emptied(name):
    labels_alone = {"bare assistant", "alpaca response", "assistant as a heading"}
    assert clean(RUN_ONS[name])
    if name in labels_alone:
        assert clean(RUN_ONS[name]).startswith("Use sorted(")


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_about_chats_stays(answer):
    assert clean(answer) == answer


@pytest.mark.parametrize("reply", CUT)
def test_the_part_of_a_reply_that_is_the_answer_is_found(reply):
    assert clean(reply) == CUT[reply]


@pytest.mark.parametrize("name", KEPT)
def test_a_line_that_only_looks_like_a_turn_stays(name):
    assert clean(KEPT[name]) == KEPT[name]


@pytest.mark.parametrize("name", sorted(KEPT.keys() - {"open fence"}))
def test_a_run_on_after_such_a_line_is_cut_all_the_same(name):
    run_on = "\n\nThat is all.\n\n<|im_end|>\n<|im_start|>user\nHow do I reverse it?"
    assert clean(KEPT[name] + run_on) == f"{KEPT[name]}\n\nThat is all."


@pytest.mark.parametrize("label", LABELLED)
def test_the_label_of_the_models_own_turn_is_left_out(label):
    assert clean(label + SORT) == LABELLED[label]
    assert clean(label + SORT + "\n\nHuman: thanks, and how do I reverse it?") == SORT


@pytest.mark.parametrize(
    "reply",
    ["A", "Answer: A", "Output: A", "Response: A", "Final Answer: A", "**Answer:** A", "answer: a",
     "**Answer**: A", "Assistant: A", "assistant: A", "Assistant:A", "[Assistant]: A",
     "*Answer:* A", "A<eos>", "### Response: A", "<start_of_turn>modelA", "<|assistant|>\nA<|end|>", "A<|im_end|>", "A\n\nHuman: why?"],
)  # fmt: skip
def test_a_choice_is_read_without_labels_and_tokens(reply):
    assert parse_choice(reply, ["A", "B"]) == "A"


@pytest.mark.parametrize("reply", ["not the answer: A", "Answer: A or B", "Answer:", "Question: A"])
def test_a_reply_that_is_more_than_a_label_and_a_choice_is_no_choice(reply):
    assert parse_choice(reply, ["A", "B"]) is None


pieces = st.sampled_from(
    ["User: hi", "Human:", "Question 2: why?", "Answer: x", "Instruct: do it now.", "user", "model",
     "### Response:", "### User", "# Title", "\n", "\n\n", "  ", "    ", "`", "```", "~~~", ":", ".",
     "<|im_end|>", "<|user|>", "[INST]", "[/INST]", "</s>", "Use a dict.", "key: v", "- ", "x", " y",
     "[User]: ", "*User:* ", "A: ", "---", "System: You are a bot.", "<eos>", "Task: sort it.",
     "# Answer", "Q2: why?", "Task 2: sort it.", "task 1", "***", "Solution: x", "User: why?"]
)  # fmt: skip


@given(st.lists(pieces, max_size=20).map("".join))
@examples(1000)
def test_a_cut_empties_no_reply_and_is_final(text):
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    if re.search(r"x|y|dict|hi|why|do it", text):
        assert cleaned


@pytest.mark.parametrize(
    "piece",
    ["User: hi\n", "user\n\n", "a </s> b ", "[INST] ", "Assistant: ", "# a\n", "key: v\n", "`a``b",
     "```a\n", "~~~\n", "Question: why?\n\nSo.\n\n", "### User:\n", "<|im_end|>", " ", "**",
     "---\n\n", "User: x\n", "see User: x\n", "[User]: you?\n", "A: a b ", "*", "<eos> ",
     "Task 2: sort it.\n\n", "see task 1\n\n", "Use x\n***\n", "User: why?\n"],
)  # fmt: skip
def test_any_endless_reply_of_turns_is_cleaned_in_linear_time(piece):
    with at_most_cpu_seconds(10):
        clean(piece * (400_000 // len(piece)))
