#!/usr/bin/env python3
"""Writes jinja.json: what Jinja2, set up as the Hugging Face library sets it up for chat templates, makes of templates.

Needs python3-jinja2. Run it in this folder after a change to the lists below.
"""
import json
import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

SMALL = [
    "a{{ 1 + 2 * 3 }}b",
    "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}",
    "{{ 'a' ~ 1 ~ true }}",
    "{% if false %}x{% elif 0 %}y{% else %}z{% endif %}",
    "{% for i in range(3) %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for i in range(6, 0, -2) %}{{ i }}{% endfor %}{% for i in range(2, 4) %}{{ loop.revindex }}{% endfor %}",
    "{% for i in [] %}x{% else %}none{% endfor %}",
    "{% for i in range(9) if i % 2 %}{{ loop.index }}:{{ i }} {% endfor %}",
    "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
    "{% set n = 0 %}{% for i in range(4) %}{% set n = n + i %}{% endfor %}{{ n }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}",
    "{{ user.name | upper | trim }}{{ user['name'] }}{{ user.nothing }}",
    "{{ nothing is defined }} {{ user is mapping }} {{ none is none }} {{ 'x' is not string }} {{ 3 is odd }} {{ [] is iterable }}",
    "{{ 'b' in 'abc' and 'z' not in list }} {{ 2 in list }} {{ 'name' in user }}",
    "{{ list[0] }}{{ list[-1] }}{{ list[1:] | length }}{{ list[::-1] | join('') }}{{ 'hello'[1:3] }}{{ 'hello'[:-1] }}{{ list[:2] | last }}",
    "{{ 'x' if list | length > 2 else 'y' }}{{ 'z' if false }}",
    "{{ nothing | default('d') }}{{ '' | default('e', true) }}{{ '' | default('f') }}",
    "{{ '  x '.strip() }}|{{ 'a,b'.split(',')[1] }}|{{ 'abc'.startswith('ab') }}|{{ 'aXa'.replace('X', 'b') }}|{{ 'xxaxx'.lstrip('x') }}",
    "{{ 'a b  c'.split() | join('/') }} {{ 'a-b-c'.split('-', 1) | last }} {{ 'Hello World' | lower | capitalize }} {{ 'x' | length }}",
    "{{ users | selectattr('age', 'equalto', 2) | map(attribute='name') | join('+') }}",
    "{{ users | rejectattr('age', 'equalto', 2) | list | length }}",
    "a\n{% if true %}\nb\n{% endif %}\nc",
    "  {% if true %}\n  b\n  {% endif %}\nc",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "a\n  {%+ if true %}b{% endif %}\n",
    "a {{- ' b ' -}} c",
    "a {#- note -#} b{# x #}\nc",
    "line {{ 1 }}\n  {{ 2 }}\n{# gone #}\n  {# gone #}\nend",
    "{{ 'it' 's' }}{{ \"a\\nb\" }}{{ 'q\\'q' }}",
    "{{ not true or true and not false }} {{ 1 < 2 }} {{ 2 >= 3 }} {{ 'a' < 'b' }} {{ 1 == 1.0 }} {{ none == false }}",
    "{{ (1, 2)[1] }}{{ [1, [2, 3]][1][0] }}{{ {'a': {'b': 5}}.a.b }}",
    "{{ 1 if user.name == 'anna' and not nothing else 2 }}",
    "{{ user.get('name') }}{{ user.get('x', 'y') }}{% for k in user %}{{ k }}{% endfor %}",
    "{% set a = [1] + [2] %}{{ a | length }}{{ a[1] }}{% set b = a | first %}{{ b }}",
    "{{ 'word' | title }} {{ '5' | int + 1 }} {{ 2.5 * 2 }} {{ 3 - 5 }} {{ 1 ~ 2 ~ 3 }}",
    "{{ '<b>' }}{{ '&' | safe }}{{ '\u0416\U0001f600'[1] }}",
]

CHATML = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
LLAMA2 = ("{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}"
          "{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
          "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
          "{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
          "{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
          "{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}")
LLAMA3 = ("{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}"
          "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")
GEMMA = ("{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}"
         "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}"
         "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
         "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}")
ZEPHYR = """{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>
' + message['content'] + eos_token }}
{% elif message['role'] == 'assistant' %}
{{ '<|assistant|>
'  + message['content'] + eos_token }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}"""
QWEN = """{%- if tools %}
    {{- 'tools' }}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set content = message.content %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is defined and message.reasoning_content is not none %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in message.content %}
                {%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}
                {%- set reasoning_content = message.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""

TALKS = [
    [{"role": "user", "content": " Hi there "}],
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    [{"role": "user", "content": "1"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\ntwo"}, {"role": "user", "content": "3"}],
    [{"role": "user", "content": "1"}, {"role": "user", "content": "2"}],
]
VALUES = {"list": [1, 2, 3], "user": {"name": "anna"},
          "users": [{"name": "al", "age": 1}, {"name": "bo", "age": 2}, {"name": "cy", "age": 2}]}


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def raise_exception(message):
    raise jinja2.TemplateError(message)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation])
env.globals["raise_exception"] = raise_exception


def case(template, variables):
    try:
        return {"template": template, "variables": variables, "text": env.from_string(template).render(**variables)}
    except jinja2.TemplateError as fault:
        return {"template": template, "variables": variables, "error": str(fault)}


cases = [case(template, VALUES) for template in SMALL]
for template in (CHATML, LLAMA2, LLAMA3, GEMMA, ZEPHYR, QWEN, "{% for m in messages %}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"):
    for talk in TALKS:
        cases.append(case(template, {"messages": talk, "add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"}))
json.dump(cases, open("jinja.json", "w"), ensure_ascii=False, indent=1)
print(len(cases), "cases")
