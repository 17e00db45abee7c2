// US dollars for a million tokens: text in, text cached, text out, audio in, audio cached, audio out. Shown as an estimate and open to change on the page.
const prices = [
  [/mini/, { text_in: 0.6, text_cached: 0.06, text_out: 2.4, audio_in: 10, audio_cached: 0.3, audio_out: 20 }],
  [/./, { text_in: 4, text_cached: 0.4, text_out: 16, audio_in: 32, audio_cached: 0.4, audio_out: 64 }],
];
const nothing = { text_in: 0, text_cached: 0, text_out: 0, audio_in: 0, audio_cached: 0, audio_out: 0 };

export const price_list = (model) => ({ ...(model.startsWith("repartee-local") ? nothing : prices.find(([pattern]) => pattern.test(model))[1]) });

/// The tokens of a conversation so far, summed from response.done.
export class Usage {
  tokens = { ...nothing };
  total = 0;
  responses = 0;
  last = null;

  add(usage) {
    if (!usage) return;
    const input = usage.input_token_details ?? {}, output = usage.output_token_details ?? {};
    const cached = input.cached_tokens_details ?? {};
    const text_cached = cached.text_tokens ?? 0, audio_cached = cached.audio_tokens ?? 0;
    const sum = this.tokens;
    sum.text_cached += text_cached;
    sum.audio_cached += audio_cached;
    sum.text_in += Math.max(0, (input.text_tokens ?? 0) - text_cached);
    sum.audio_in += Math.max(0, (input.audio_tokens ?? 0) - audio_cached);
    sum.text_out += output.text_tokens ?? 0;
    sum.audio_out += output.audio_tokens ?? 0;
    this.total += usage.total_tokens ?? 0;
    this.responses++;
    this.last = usage;
  }

  dollars(price) {
    return Object.entries(this.tokens).reduce((sum, [kind, count]) => sum + (count * price[kind]) / 1e6, 0);
  }
}
