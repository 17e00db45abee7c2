#include "repartee/providers/fallback.hpp"

#include "repartee/audio/pcm.hpp"
#include "repartee/base/log.hpp"

#include <algorithm>
#include <numeric>

namespace repartee::providers {
namespace {

using std::chrono::steady_clock;

/// Counts one call at one provider. Touches nothing but Metrics when it is destroyed amid the call.
class CallMeter {
public:
    explicit CallMeter(RoleMetrics& metrics) : metrics_(metrics), began_(steady_clock::now()) { metrics_.requests.add(); }
    CallMeter(const CallMeter&) = delete;
    CallMeter& operator=(const CallMeter&) = delete;
    ~CallMeter()
    {
        if (!ended_) metrics_.cancelled.add();
    }

    void first_byte()
    {
        if (std::exchange(used_, true)) return;
        metrics_.first_byte.observe(steady_clock::now() - began_);
    }
    bool used() const { return used_; }
    void succeed()
    {
        ended_ = true;
        metrics_.duration.observe(steady_clock::now() - began_);
    }
    void fail(Code code)
    {
        ended_ = true;
        metrics_.duration.observe(steady_clock::now() - began_);
        (code == Code::cancelled ? metrics_.cancelled : metrics_.failures).add();
    }
    milliseconds elapsed() const { return std::chrono::duration_cast<milliseconds>(steady_clock::now() - began_); }

private:
    RoleMetrics& metrics_;
    steady_clock::time_point began_;
    bool used_ = false, ended_ = false;
};

/// The recording's or the text's fault, not the provider's: it is not tried last for it.
bool is_of_request(Code code) { return code == Code::invalid_audio || code == Code::too_large; }

/// What all three roles share: which provider next, and what a failure means.
template <class Role>
class Chain {
public:
    Chain(std::string_view role, std::vector<Named<Role>> providers, milliseconds cooldown, RoleMetrics& metrics)
        : providers_(std::move(providers)), role_(role), metrics_(metrics), rotation_(sections(providers_), cooldown)
    {
    }

    /// One call's way through the chain.
    struct Way {
        std::vector<std::size_t> order;
        std::size_t at = 0;
        std::optional<std::size_t> model_for;  ///< who the wished model is meant for
        std::optional<Error> first_error;
    };

    Way way(const Choice& choice)
    {
        Way way;
        way.order = rotation_.order(choice.provider, steady_clock::now());
        way.model_for = choice.provider.empty() ? std::optional<std::size_t>(0) : find(choice.provider);
        return way;
    }

    const Named<Role>& provider(const Way& way) const { return providers_[way.order[way.at]]; }
    bool is_last(const Way& way) const { return way.at + 1 == way.order.size(); }
    RoleMetrics& metrics() const { return metrics_; }
    const std::vector<Named<Role>>& providers() const { return providers_; }

    /// The request as this provider gets it: a model's name means something at one provider only.
    template <class Request>
    Request request_for(const Way& way, Request& request) const
    {
        const bool model_is_meant = way.model_for == way.order[way.at];
        Request out = is_last(way) ? std::move(request) : request;
        if (!model_is_meant) out.choice.model.clear();
        return out;
    }

    void succeeded(const Way& way, CallMeter& meter)
    {
        meter.succeed();
        rotation_.on_success(way.order[way.at]);
    }

    /// True: go on with the next one. False: `error` is how the call ends.
    bool next(Way& way, CallMeter& meter, Error& error, bool used)
    {
        meter.fail(error.code);
        if (error.code == Code::cancelled) return false;
        const Named<Role>& failed = provider(way);
        // A recogniser that was never configured is no event, turn after turn.
        const bool is_absent = error.code == Code::not_configured && failed.provider->provider_name() == "none";
        const auto level = is_absent ? log::Level::debug : log::Level::warn;
        if (log::enabled(level))
            log::write(level, "provider.failed", {{"role", role_},
                                                  {"section", failed.section},
                                                  {"provider", failed.provider->provider_name()},
                                                  {"code", name(error.code)},
                                                  {"message", error.message},
                                                  {"ms", meter.elapsed().count()}});
        if (!is_of_request(error.code)) rotation_.on_failure(way.order[way.at], steady_clock::now());
        if (used) return false;
        if (error.code == Code::too_large || is_last(way)) {
            if (way.first_error) error = *way.first_error;
            return false;
        }
        if (!way.first_error) way.first_error = error;
        ++way.at;
        metrics_.fallbacks.add();
        log::warn("provider.fallback", {{"role", role_},
                                        {"from", failed.section},
                                        {"to", provider(way).section},
                                        {"code", name(error.code)},
                                        {"message", error.message}});
        return true;
    }

private:
    static std::vector<std::string> sections(const std::vector<Named<Role>>& providers)
    {
        std::vector<std::string> names;
        for (const auto& named : providers) names.push_back(named.section);
        return names;
    }

    std::optional<std::size_t> find(std::string_view section) const
    {
        for (std::size_t i = 0; i < providers_.size(); ++i)
            if (providers_[i].section == section) return i;
        return std::nullopt;
    }

    std::vector<Named<Role>> providers_;
    std::string_view role_;
    RoleMetrics& metrics_;
    Rotation rotation_;
};

void count_tokens(RoleMetrics& metrics, std::int64_t input, std::int64_t output)
{
    metrics.input_tokens.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, input)));
    metrics.output_tokens.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, output)));
}

class SttChain final : public SpeechToText {
public:
    SttChain(std::vector<Named<SpeechToText>> providers, milliseconds cooldown, Metrics& metrics)
        : chain_("stt", std::move(providers), cooldown, metrics.stt)
    {
    }
    std::string_view provider_name() const override { return chain_.providers().front().provider->provider_name(); }

    Task<Transcript> transcribe(TranscribeRequest request, TextSink delta, Stop stop) override
    {
        auto way = chain_.way(request.choice);
        for (;;) {
            CallMeter meter(chain_.metrics());
            bool used = false;
            const auto hand_on = [&](std::string_view text) {
                meter.first_byte();
                if (!delta) return;
                used = true;
                delta(text);
            };
            TextSink sink = std::cref(hand_on);
            TranscribeRequest asked = chain_.request_for(way, request);
            auto transcript = co_await chain_.provider(way).provider->transcribe(std::move(asked), std::move(sink), stop);
            if (transcript) {
                meter.first_byte();
                chain_.succeeded(way, meter);
                count_tokens(chain_.metrics(), transcript->input_tokens, transcript->output_tokens);
                chain_.metrics().audio_ms.add(static_cast<std::uint64_t>(std::max(0.0, transcript->duration_s.value_or(0) * 1000)));
                co_return transcript;
            }
            Error error = transcript.error();
            if (!chain_.next(way, meter, error, used)) co_return error;
        }
    }

private:
    Chain<SpeechToText> chain_;
};

class LlmChain final : public LanguageModel {
public:
    LlmChain(std::vector<Named<LanguageModel>> providers, milliseconds cooldown, Metrics& metrics)
        : chain_("llm", std::move(providers), cooldown, metrics.llm)
    {
    }
    std::string_view provider_name() const override { return chain_.providers().front().provider->provider_name(); }
    bool reads_words() const override
    {
        return std::ranges::any_of(chain_.providers(), [](const auto& named) { return named.provider->reads_words(); });
    }

    Task<ChatResult> chat(ChatRequest request, ChatSink sink, Stop stop) override
    {
        auto way = chain_.way(request.choice);
        for (;;) {
            CallMeter meter(chain_.metrics());
            const auto on_text = [&](std::string_view text) {
                meter.first_byte();
                if (sink.text) sink.text(text);
            };
            const auto on_call = [&](const ToolCall& call) {
                meter.first_byte();
                if (sink.call) sink.call(call);
            };
            ChatSink metered;
            metered.text = std::cref(on_text);
            metered.call = std::cref(on_call);
            ChatRequest asked = chain_.request_for(way, request);
            auto result = co_await chain_.provider(way).provider->chat(std::move(asked), std::move(metered), stop);
            if (result) {
                chain_.succeeded(way, meter);
                count_tokens(chain_.metrics(), result->usage.input_tokens, result->usage.output_tokens);
                co_return result;
            }
            Error error = result.error();
            if (!chain_.next(way, meter, error, meter.used())) co_return error;
        }
    }

private:
    Chain<LanguageModel> chain_;
};

class TtsChain final : public TextToSpeech {
public:
    TtsChain(std::vector<Named<TextToSpeech>> providers, milliseconds cooldown, Metrics& metrics)
        : chain_("tts", std::move(providers), cooldown, metrics.tts)
    {
    }
    std::string_view provider_name() const override { return chain_.providers().front().provider->provider_name(); }

    Task<SpeechUsage> speak(SpeechRequest request, SpeechSink sink, Stop stop) override
    {
        auto way = chain_.way(request.choice);
        for (;;) {
            CallMeter meter(chain_.metrics());
            std::uint64_t samples_made = 0;
            const auto on_samples = [&](std::span<const std::int16_t> samples) {
                meter.first_byte();
                samples_made += samples.size();
                if (sink) sink(samples);
            };
            SpeechSink metered = std::cref(on_samples);
            SpeechRequest asked = chain_.request_for(way, request);
            auto usage = co_await chain_.provider(way).provider->speak(std::move(asked), std::move(metered), stop);
            chain_.metrics().audio_ms.add(samples_made * 1000 / audio::realtime_hz);
            if (usage) {
                chain_.succeeded(way, meter);
                count_tokens(chain_.metrics(), usage->input_tokens, usage->output_tokens);
                chain_.metrics().characters.add(static_cast<std::uint64_t>(std::max<std::int64_t>(0, usage->characters)));
                co_return usage;
            }
            Error error = usage.error();
            if (!chain_.next(way, meter, error, meter.used())) co_return error;
        }
    }

private:
    Chain<TextToSpeech> chain_;
};

}  // namespace

Rotation::Rotation(std::vector<std::string> sections, milliseconds cooldown)
    : sections_(std::move(sections)), failed_at_(sections_.size()), cooldown_(cooldown)
{
}

std::vector<std::size_t> Rotation::order(std::string_view preferred, Instant now) const
{
    std::vector<std::size_t> order(sections_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto is_preferred = [&](std::size_t i) { return !preferred.empty() && sections_[i] == preferred; };
    std::stable_partition(order.begin(), order.end(), is_preferred);
    const auto is_well = [&](std::size_t i) { return !failed_at_[i] || now - *failed_at_[i] >= cooldown_; };
    std::stable_partition(order.begin(), order.end(), is_well);
    return order;
}

void Rotation::on_failure(std::size_t index, Instant now) { failed_at_[index] = now; }

void Rotation::on_success(std::size_t index) { failed_at_[index].reset(); }

std::shared_ptr<SpeechToText> chain(std::vector<Named<SpeechToText>> providers, milliseconds cooldown, Metrics& metrics)
{
    return std::make_shared<SttChain>(std::move(providers), cooldown, metrics);
}

std::shared_ptr<LanguageModel> chain(std::vector<Named<LanguageModel>> providers, milliseconds cooldown, Metrics& metrics)
{
    return std::make_shared<LlmChain>(std::move(providers), cooldown, metrics);
}

std::shared_ptr<TextToSpeech> chain(std::vector<Named<TextToSpeech>> providers, milliseconds cooldown, Metrics& metrics)
{
    return std::make_shared<TtsChain>(std::move(providers), cooldown, metrics);
}

}  // namespace repartee::providers
