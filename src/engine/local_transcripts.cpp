#include "local_state.hpp"
#include "realtime/utf8_stream.hpp"

#include <algorithm>
#include <exception>

namespace repartee::engine {
namespace {

constexpr std::size_t transcriptions_at_once = 4;
// Eleven minutes of speech that nobody has listened to yet: what comes beyond is refused, turn by turn.
constexpr std::size_t waiting_samples_max = 16 << 20;
constexpr std::size_t wordless_max = 256;

bool is_spoken_by_user(const ContextMessage& message) { return message.role == "user" && message.spoken; }

bool is_without_words(const ContextMessage& message) { return is_spoken_by_user(message) && message.text.empty() && !message.silence; }

}  // namespace

void LocalUpstream::State::queue_transcription(TranscriptionRequest request)
{
    if (waiting_samples + request.samples.size() > waiting_samples_max) {
        const Error busy{Code::busy, "More is said than the speech recogniser can follow. Wait for the transcripts that are to come."};
        return on_transcribed(request.item_id, busy);
    }
    awaited.insert(request.item_id);
    waiting_samples += request.samples.size();
    waiting.push_back(std::move(request));
    start_transcriptions();
}

void LocalUpstream::State::start_transcriptions()
{
    while (!closed && !waiting.empty() && transcribing < transcriptions_at_once) {
        TranscriptionRequest request = std::move(waiting.front());
        waiting.pop_front();
        waiting_samples -= request.samples.size();
        ++transcribing;
        tasks.spawn(transcribe(std::move(request)));
    }
}

awaitable<void> LocalUpstream::State::transcribe(TranscriptionRequest request)
{
    const auto self = shared_from_this();
    providers::TranscribeRequest wanted;
    wanted.audio.samples = std::move(request.samples);
    wanted.language = request.language;
    if (wanted.language.empty()) wanted.language = roles.language;
    wanted.choice = roles.stt_choice;
    providers::TextSink delta = [&](std::string_view text) {
        if (closed) return;
        server.on_transcript_delta(request.item_id, text, clock_now());
        drain();
    };
    providers::Stop stop = closing.get_token();
    std::string broke;
    try {
        const auto transcript = co_await roles.services.stt->transcribe(std::move(wanted), std::move(delta), std::move(stop));
        --transcribing;
        on_transcribed(request.item_id, transcript);
        start_transcriptions();
        co_return;
    } catch (const std::exception& exception) {
        broke = exception.what();
    }
    --transcribing;
    on_transcribed(request.item_id, Error{Code::internal, "The speech recogniser broke off: " + broke});
    start_transcriptions();
}

void LocalUpstream::State::on_transcribed(const std::string& item_id, const Result<providers::Transcript>& transcript)
{
    if (closed) return;
    awaited.erase(item_id);
    std::string words;
    if (transcript) {
        words = valid_utf8(transcript->text);
        const TranscriptTokens tokens{.input = transcript->input_tokens, .output = transcript->output_tokens};
        server.on_transcript(item_id, words, clock_now(), tokens);
    } else {
        server.on_transcription_failed(item_id, transcript.error(), clock_now());
    }
    if (words.empty()) {
        wordless.push_back({item_id, transcript ? std::nullopt : std::optional<Error>(transcript.error())});
        if (wordless.size() > wordless_max) wordless.pop_front();
    }
    for (const auto& [id, turn] : turns) {
        for (ContextMessage& message : turn->request.context) {
            if (message.item_id != item_id || words.empty()) continue;
            if (!message.text.empty()) message.text += '\n';  // an item may hold written words beside the spoken ones
            message.text += words;
        }
        turn->changed.notify();
    }
    drain();
}

Task<> LocalUpstream::State::hear(std::shared_ptr<LocalTurn> turn, Instant deadline)
{
    const auto self = shared_from_this();
    const auto is_awaited = [&](const ContextMessage& message) { return is_spoken_by_user(message) && awaited.contains(message.item_id); };
    bool in_time = true;
    while (in_time && !turn->stop.stop_requested()) {
        if (std::none_of(turn->request.context.begin(), turn->request.context.end(), is_awaited)) co_return Result<void>();
        in_time = co_await turn->changed.wait_until(deadline);
    }
    if (turn->stop.stop_requested()) co_return Error{Code::cancelled, "The reply was stopped."};
    co_return Error{Code::timeout, "What was said was not transcribed within " + std::to_string(settings.turn_limit.count()) +
                                       " ms. Look in the log at what the [stt] service does, or raise local.turn_limit_ms."};
}

// Several turns in a row may wait for one answer, so a cough behind a question does not take the question back.
Result<bool> LocalUpstream::State::was_understood(const LocalTurn& turn) const
{
    const std::vector<ContextMessage>& context = turn.request.context;
    if (context.empty() || !is_without_words(context.back())) return true;
    const auto is_newest = [&](const Wordless& entry) { return entry.item_id == context.back().item_id; };
    const auto known = std::find_if(wordless.rbegin(), wordless.rend(), is_newest);
    if (known == wordless.rend())
        return Error{Code::unsupported_content,
                     "Audio in response.input is not transcribed here. Make it an item of the conversation (conversation.item.create) and refer "
                     "to it, or send text.",
                     "response.input"};
    if (known->failure) return *known->failure;
    for (auto message = context.rbegin(); message != context.rend() && message->role == "user"; ++message)
        if (!is_without_words(*message)) return true;
    return false;
}

}  // namespace repartee::engine
