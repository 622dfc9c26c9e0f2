"""A small model provider on localhost that writes down what it truly served.

It speaks OpenAI (chat completions, responses, embeddings), Anthropic (messages) and Gemini (generateContent), streaming included, and
Amazon Bedrock (converse).
What it answers is decided by words in the prompt: EQUAL (same usage each time), FAIL429 / FAIL500 (an error first, then success),
ALWAYS500 / BAD400 (an error each time), ROUNDS=n (that many rounds of tool calls), CUT (a stream that breaks off).
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]
FINAL_TOOLS = ("final_answer", "final_result")


class Ledger:
    """What was served, one line per request, in the order of the answers."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.calls: list[Json] = []
        self._lock = threading.Lock()
        self._count = 0
        self._failures: dict[str, int] = {}

    def next_number(self) -> int:
        with self._lock:
            self._count += 1
            return self._count

    def failures_before(self, text: str) -> int:
        """How often this prompt was refused already; counts this time as well."""
        with self._lock:
            before = self._failures.get(text, 0)
            self._failures[text] = before + 1
            return before

    def write(self, line: Json) -> None:
        with self._lock:
            self.calls.append(line)


def _dated(model: str) -> str:
    """The name a provider answers with."""
    dates = {
        "gpt-4o-mini": "-2024-07-18",
        "gpt-4o": "-2024-08-06",
        "gpt-5-mini": "-2025-08-07",
        "gpt-4.1": "-2025-04-14",
    }
    return model + dates.get(model, "")


class Call:
    """One request: what was asked, and the usage that it is billed with."""

    def __init__(
        self, ledger: Ledger, provider: str, model: str, text: str, *, streamed: bool, embedding: bool = False
    ) -> None:
        self.ledger, self.provider, self.model, self.text, self.streamed = (
            ledger,
            provider,
            model,
            text,
            streamed,
        )
        self.number = ledger.next_number()
        chance = random.Random(f"{ledger.seed}:{self.number}")
        self.digest = hashlib.sha256(f"{ledger.seed}:{self.number}".encode()).hexdigest()
        equal = "EQUAL" in text
        self.input = 120 if equal else chance.randint(60, 1900)
        self.cached = self.cache_write = self.reasoning = 0
        self.output = 30 if equal else chance.randint(9, 400)
        if embedding:
            self.output = 0
        elif not equal:
            if chance.random() < 0.6:
                self.cached = self.input * chance.randint(10, 80) // 100
            if provider == "anthropic" and chance.random() < 0.6:
                self.cache_write = (self.input - self.cached) * chance.randint(10, 70) // 100
            if provider == "gemini" or re.search("gpt-5|o3|o4|deepseek", model):
                self.reasoning = self.output * chance.randint(10, 90) // 100

    def book(self, response_id: str | None) -> None:
        self.ledger.write(
            {
                "response_id": response_id,
                "provider": self.provider,
                "model": self.model,
                "input_tokens": self.input,
                "cached_tokens": self.cached,
                "cache_write_tokens": self.cache_write,
                "output_tokens": self.output,
                "reasoning_tokens": self.reasoning,
                "streamed": self.streamed,
                "status": 200,
            }
        )


def example(schema: Json, root: Json | None = None) -> Any:
    """A value that a JSON schema allows."""
    root = root if root is not None else schema
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return example(target, root)
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return example(schema[choice][0], root)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = str(schema.get("type", "object")).lower()
    if kind == "object":
        required = schema.get("required", list(schema.get("properties", {})))
        return {
            name: example(schema["properties"][name], root)
            for name in required
            if name in schema.get("properties", {})
        }
    simple: Json = {"integer": 2, "number": 2.5, "boolean": True, "array": [], "null": None}
    return simple.get(kind, "tiny")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for name in ("text", "content", "input_text", "parts"):
            yield from _texts(value.get(name))


def _is_tool_result(message: Json) -> bool:
    if message.get("role") in ("tool", "function") or message.get("type") == "function_call_output":
        return True
    if next(_texts(message), "").startswith("Observation"):  # smolagents tells results as a user
        return True
    parts = message.get("content") or message.get("parts") or []
    return isinstance(parts, list) and any(
        isinstance(part, dict)
        and (part.get("type") == "tool_result" or "functionResponse" in part or "toolResult" in part)
        for part in parts
    )


def tool_calls(messages: list[Json], tools: list[tuple[str, Json]], text: str) -> list[tuple[str, Json]]:
    """Which tools to call now: the first ones for as many rounds as asked for, then the one that ends an agent, then none."""
    if not tools:
        return []
    last_user = max(
        (n for n, m in enumerate(messages) if m.get("role") == "user" and not _is_tool_result(m)), default=0
    )
    after = messages[last_user:]
    asked = [
        n
        for n, message in enumerate(messages)
        if message.get("role") == "user" and not _is_tool_result(message)
    ]
    if not asked or sum(map(_is_tool_result, messages)) > 20:
        return []  # only results, in a conversation that the provider keeps; or somebody who would ask for ever
    after = messages[asked[-1] :]
    rounds, previous = 0, False
    for message in after:
        result = _is_tool_result(message)
        rounds += result and not previous
        previous = result
    wanted = int(match[1]) if (match := re.search(r"ROUNDS=(\d+)", text)) else 1
    working = [tool for tool in tools if tool[0] not in FINAL_TOOLS]
    ending = [tool for tool in tools if tool[0] in FINAL_TOOLS]
    chosen = working[: len(working) if "PARALLEL" in text else 1] if rounds < wanted else []
    chosen = chosen or ending[:1]
    return [(name, example(schema)) for name, schema in chosen]


class Handler(BaseHTTPRequestHandler):
    """Routes by path; each dialect turns a call into its own shape."""

    protocol_version = "HTTP/1.1"
    ledger: Ledger

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the console."""

    # -- transport -------------------------------------------------------------------------------------------------------------

    def _send(self, status: int, body: Json) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("retry-after-ms", "10")
        self.send_header("request-id", "req_example")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: list[tuple[str | None, Json | str]], *, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        if cut:
            events = events[: max(2, len(events) // 2)]
        try:
            for name, body in events:
                head = f"event: {name}\n" if name else ""
                text = body if isinstance(body, str) else json.dumps(body)
                chunk = f"{head}data: {text}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.flush()
                time.sleep(0.002)
            if not cut:
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the reader went away: what was generated is billed all the same
        self.close_connection = True

    def do_GET(self) -> None:
        self._send(404, {"error": {"message": "not found"}})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = self.path.split("?")[0]
        try:
            body: Json = json.loads(raw or b"{}")
        except ValueError:  # telemetry of an SDK's own, compressed
            path = ""
        if path.endswith("/chat/completions"):
            self._chat(body)
        elif path.endswith("/responses"):
            self._responses(body)
        elif path.endswith("/embeddings"):
            self._embeddings(body)
        elif path.endswith("/messages"):
            self._anthropic(body)
        elif match := re.search(r"/model/([^/]+)/converse$", path):
            self._bedrock(body, match[1])
        elif match := re.search(r"/models/([^/:]+):(\w+)$", path):
            self._gemini(body, match[1], match[2])
        else:
            self._send(404, {"error": {"message": f"no such path: {path}"}})

    def _refused(self, provider: str, model: str, text: str, *, streamed: bool) -> bool:
        """Answer with an error where the prompt asks for one."""
        status = 0
        if "BAD400" in text:
            status = 400
        elif "ALWAYS500" in text:
            status = 500
        elif ("FAIL429" in text or "FAIL500" in text) and not self.ledger.failures_before(text):
            status = 429 if "FAIL429" in text else 500
        if status:
            self.ledger.write(
                {
                    "response_id": None,
                    "provider": provider,
                    "model": model,
                    "streamed": streamed,
                    "status": status,
                }
            )
            error = {
                "type": "rate_limit_error" if status == 429 else "api_error",
                "message": "as asked for",
                "code": None,
            }
            self._send(status, {"type": "error", "error": error})
        return bool(status)

    # -- OpenAI ----------------------------------------------------------------------------------------------------------------

    def _chat(self, body: Json) -> None:
        messages: list[Json] = body["messages"]
        model, streamed = body["model"], bool(body.get("stream"))
        text = " ".join(t for m in messages for t in _texts(m))
        provider = "openai"
        if self._refused(provider, model, text, streamed=streamed):
            return
        call = Call(self.ledger, provider, model, text, streamed=streamed)
        time.sleep(0.01 + call.output / 20_000)
        ident = f"chatcmpl-{call.digest[:29]}"
        tools = [
            (t["function"]["name"], t["function"].get("parameters") or {})
            for t in body.get("tools") or []
            if "function" in t
        ]
        chosen = tool_calls(messages, tools, text) if body.get("tool_choice") != "none" else []
        calls = [
            {
                "index": n,
                "id": f"call_{call.digest[:20]}{n}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args)},
            }
            for n, (name, args) in enumerate(chosen)
        ]
        wanted = (body.get("response_format") or {}).get("json_schema")
        content = (
            None
            if calls
            else json.dumps(example(wanted["schema"]))
            if wanted
            else f"tiny answer {call.number}"
        )
        usage = {
            "prompt_tokens": call.input,
            "completion_tokens": call.output,
            "total_tokens": call.input + call.output,
            "prompt_tokens_details": {"cached_tokens": call.cached, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": call.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
        head = {
            "id": ident,
            "created": int(time.time()),
            "model": _dated(model),
            "service_tier": "default",
            "system_fingerprint": "fp_1",
        }
        finish = "tool_calls" if calls else "stop"
        if not streamed:
            plain = [{k: v for k, v in c.items() if k != "index"} for c in calls]
            message: Json = {"role": "assistant", "content": content, "refusal": None} | (
                {"tool_calls": plain} if plain else {}
            )
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
            self._send(200, head | {"object": "chat.completion", "choices": [choice], "usage": usage})
            call.book(ident)
            return
        include = bool((body.get("stream_options") or {}).get("include_usage"))

        def chunk(delta: Json, reason: str | None = None) -> tuple[None, Json]:
            body = head | {
                "object": "chat.completion.chunk",
                "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
            }
            return None, body | ({"usage": None} if include else {})

        events: list[tuple[str | None, Json | str]] = [
            chunk({"role": "assistant", "content": "" if content else None})
        ]
        if calls:
            events += [chunk({"tool_calls": [c]}) for c in calls]
        else:
            events += [chunk({"content": word + " "}) for word in str(content).split(" ")]
        events.append(chunk({}, finish))
        if include:
            events.append((None, head | {"object": "chat.completion.chunk", "choices": [], "usage": usage}))
        events.append((None, "[DONE]"))
        call.book(ident)
        self._stream(events, cut="CUT" in text)

    def _responses(self, body: Json) -> None:
        asked = body.get("input") or ""
        messages: list[Json] = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        model, streamed = body["model"], bool(body.get("stream"))
        text = " ".join([body.get("instructions") or "", *(t for m in messages for t in _texts(m))])
        if self._refused("openai", model, text, streamed=streamed):
            return
        call = Call(self.ledger, "openai", model, text, streamed=streamed)
        time.sleep(0.01 + call.output / 20_000)
        ident = f"resp_{call.digest[:48]}"
        tools = [
            (t["name"], t.get("parameters") or {})
            for t in body.get("tools") or []
            if t.get("type") == "function"
        ]
        chosen = tool_calls(messages, tools, text)
        wanted = ((body.get("text") or {}).get("format") or {}).get("schema")
        content = json.dumps(example(wanted)) if wanted else f"tiny answer {call.number}"
        output: list[Json] = []
        if call.reasoning:
            output.append({"type": "reasoning", "id": f"rs_{call.digest[:40]}", "summary": []})
        if chosen:
            output += [
                {
                    "type": "function_call",
                    "id": f"fc_{call.digest[:40]}{n}",
                    "call_id": f"call_{call.digest[:20]}{n}",
                    "name": name,
                    "arguments": json.dumps(args),
                    "status": "completed",
                }
                for n, (name, args) in enumerate(chosen)
            ]
        else:
            part = {"type": "output_text", "text": content, "annotations": [], "logprobs": []}
            output.append(
                {
                    "type": "message",
                    "id": f"msg_{call.digest[:40]}",
                    "role": "assistant",
                    "status": "completed",
                    "content": [part],
                }
            )
        whole: Json = {
            "id": ident,
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "error": None,
            "incomplete_details": None,
            "instructions": body.get("instructions"),
            "metadata": {},
            "model": _dated(model),
            "output": output,
            "parallel_tool_calls": True,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "service_tier": "default",
            "usage": {
                "input_tokens": call.input,
                "input_tokens_details": {"cached_tokens": call.cached, "cache_write_tokens": 0},
                "output_tokens": call.output,
                "output_tokens_details": {"reasoning_tokens": call.reasoning},
                "total_tokens": call.input + call.output,
            },
        }
        call.book(ident)
        if not streamed:
            self._send(200, whole)
            return
        begun = whole | {"status": "in_progress", "output": [], "usage": None}
        events: list[Json] = [
            {"type": "response.created", "response": begun},
            {"type": "response.in_progress", "response": begun},
        ]
        for index, item in enumerate(output):
            at = {"output_index": index, "item_id": item["id"]}
            events.append(
                {
                    "type": "response.output_item.added",
                    "output_index": index,
                    "item": item | ({"content": []} if "content" in item else {}),
                }
            )
            if item["type"] == "function_call":
                events.append(
                    {"type": "response.function_call_arguments.delta", "delta": item["arguments"], **at}
                )
                events.append(
                    {
                        "type": "response.function_call_arguments.done",
                        "arguments": item["arguments"],
                        "name": item["name"],
                        **at,
                    }
                )
            elif item["type"] == "message":
                at |= {"content_index": 0}
                part = item["content"][0]
                events.append({"type": "response.content_part.added", "part": part | {"text": ""}, **at})
                events.append(
                    {"type": "response.output_text.delta", "delta": part["text"], "logprobs": [], **at}
                )
                events.append(
                    {"type": "response.output_text.done", "text": part["text"], "logprobs": [], **at}
                )
                events.append({"type": "response.content_part.done", "part": part, **at})
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        events.append({"type": "response.completed", "response": whole})
        self._stream(
            [(e["type"], e | {"sequence_number": n}) for n, e in enumerate(events)], cut="CUT" in text
        )

    def _embeddings(self, body: Json) -> None:
        asked = body.get("input")
        text = " ".join(_texts(asked))
        if self._refused("openai", body["model"], text, streamed=False):
            return
        call = Call(self.ledger, "openai", body["model"], text, streamed=False, embedding=True)
        time.sleep(0.01)
        count = len(asked) if isinstance(asked, list) and asked and not isinstance(asked[0], int) else 1
        vector: Any = [0.5, 0.25, 0.125]
        if body.get("encoding_format") == "base64":
            vector = "AAAAPwAAgD4AAAA+"
        data = [{"object": "embedding", "index": n, "embedding": vector} for n in range(count)]
        usage = {"prompt_tokens": call.input, "total_tokens": call.input}
        self._send(200, {"object": "list", "data": data, "model": body["model"], "usage": usage})
        call.book(None)

    # -- Anthropic -------------------------------------------------------------------------------------------------------------

    def _anthropic(self, body: Json) -> None:
        messages: list[Json] = body["messages"]
        model, streamed = body["model"], bool(body.get("stream"))
        text = " ".join([*_texts(body.get("system")), *(t for m in messages for t in _texts(m))])
        if self._refused("anthropic", model, text, streamed=streamed):
            return
        call = Call(self.ledger, "anthropic", model, text, streamed=streamed)
        time.sleep(0.01 + call.output / 20_000)
        ident = f"msg_{call.digest[:24]}"
        tools = [(t["name"], t.get("input_schema") or {}) for t in body.get("tools") or []]
        chosen = tool_calls(messages, tools, text)
        blocks: list[Json] = [
            {"type": "tool_use", "id": f"toolu_{call.digest[:20]}{n}", "name": name, "input": args}
            for n, (name, args) in enumerate(chosen)
        ] or [{"type": "text", "text": f"tiny answer {call.number}"}]
        usage = {
            "input_tokens": call.input - call.cached - call.cache_write,
            "cache_creation_input_tokens": call.cache_write,
            "cache_read_input_tokens": call.cached,
            "output_tokens": call.output,
            "service_tier": "standard",
        }
        whole: Json = {
            "id": ident,
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": blocks,
            "stop_reason": "tool_use" if chosen else "end_turn",
            "stop_sequence": None,
            "usage": usage,
        }
        call.book(ident)
        if not streamed:
            self._send(200, whole)
            return
        begun = whole | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
        events: list[Json] = [{"type": "message_start", "message": begun}]
        for index, block in enumerate(blocks):
            empty: Json = {"text": ""} if block["type"] == "text" else {"input": {}}
            delta = (
                {"type": "text_delta", "text": block["text"]}
                if block["type"] == "text"
                else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            )
            events.append({"type": "content_block_start", "index": index, "content_block": block | empty})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
        events.append(
            {
                "type": "message_delta",
                "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
                "usage": {k: v for k, v in usage.items() if k != "service_tier"},
            }
        )
        events.append({"type": "message_stop"})
        self._stream([(e["type"], e) for e in events], cut="CUT" in text)

    # -- Gemini ----------------------------------------------------------------------------------------------------------------

    def _gemini(self, body: Json, model: str, action: str) -> None:
        messages: list[Json] = body.get("contents") or []
        streamed = action == "streamGenerateContent"
        text = " ".join([*_texts(body.get("systemInstruction")), *(t for m in messages for t in _texts(m))])
        if self._refused("gemini", model, text, streamed=streamed):
            return
        call = Call(self.ledger, "gemini", model, text, streamed=streamed)
        time.sleep(0.01 + call.output / 20_000)
        ident = call.digest[:22]
        tools = [
            (f["name"], f.get("parameters") or f.get("parametersJsonSchema") or {})
            for t in body.get("tools") or []
            for f in t.get("functionDeclarations") or []
        ]
        chosen = tool_calls(messages, tools, text)
        parts: list[Json] = [{"functionCall": {"name": name, "args": args}} for name, args in chosen] or [
            {"text": f"tiny answer {call.number}"}
        ]
        usage = {
            "promptTokenCount": call.input,
            "cachedContentTokenCount": call.cached,
            "candidatesTokenCount": call.output - call.reasoning,
            "thoughtsTokenCount": call.reasoning,
            "totalTokenCount": call.input + call.output,
        }
        whole = {
            "responseId": ident,
            "modelVersion": model,
            "candidates": [
                {"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}
            ],
            "usageMetadata": usage,
        }
        call.book(ident)
        if not streamed:
            self._send(200, whole)
            return
        first = {**whole, "usageMetadata": {"promptTokenCount": call.input, "totalTokenCount": call.input}}
        first["candidates"] = [{"index": 0, "content": {"role": "model", "parts": [{"text": "tiny "}]}}]
        self._stream([(None, first), (None, whole)] if not chosen else [(None, whole)], cut="CUT" in text)

    # -- Amazon Bedrock --------------------------------------------------------------------------------------------------------

    def _bedrock(self, body: Json, quoted_model: str) -> None:
        messages: list[Json] = body.get("messages") or []
        model = unquote(quoted_model)
        text = " ".join([*_texts(body.get("system")), *(t for m in messages for t in _texts(m))])
        if self._refused("anthropic", model, text, streamed=False):
            return
        call = Call(self.ledger, "anthropic", model, text, streamed=False)
        time.sleep(0.01 + call.output / 20_000)
        tools = [
            (t["toolSpec"]["name"], t["toolSpec"]["inputSchema"]["json"])
            for t in (body.get("toolConfig") or {}).get("tools") or []
        ]
        chosen = tool_calls(messages, tools, text)
        content: list[Json] = [
            {"toolUse": {"toolUseId": f"tooluse_{call.digest[:20]}{n}", "name": name, "input": args}}
            for n, (name, args) in enumerate(chosen)
        ] or [{"text": f"tiny answer {call.number}"}]
        uncached = call.input - call.cached - call.cache_write
        usage = {
            "inputTokens": uncached,
            "cacheReadInputTokens": call.cached,
            "cacheWriteInputTokens": call.cache_write,
            "outputTokens": call.output,
            "totalTokens": call.input + call.output,
        }
        answer = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": "tool_use" if chosen else "end_turn",
            "usage": usage,
            "metrics": {"latencyMs": 12},
        }
        self._send(200, answer)
        call.book(None)


def start(seed: str) -> tuple[ThreadingHTTPServer, Ledger]:
    """A provider of its own on a free port, in a thread."""
    ledger = Ledger(seed)
    handler = type("BoundHandler", (Handler,), {"ledger": ledger})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, ledger
