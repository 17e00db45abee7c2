#include "fields.hpp"
#include "repartee/audio/base64.hpp"
#include "repartee/base/ids.hpp"
#include "server_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace repartee::engine {
namespace {

// A longer transcript comes whole, at its end.
constexpr std::size_t streamed_transcript_bytes_max = 64 << 10;

std::int64_t ms_at(std::uint64_t sample) { return static_cast<std::int64_t>(sample) / samples_per_ms; }

std::string transcription_member(const realtime::SessionConfig& session, std::string_view key)
{
    const json::object* settings = session.input_transcription.if_object();
    if (!settings) return {};
    return std::string(json::find_string(*settings, key).value_or(std::string_view{}));
}

}  // namespace

Result<void> RealtimeServer::State::append_event(const json::object& event, Instant now)
{
    const auto audio = required_string(event, "audio");
    if (!audio) return audio.error();
    return append_base64(*audio, now);
}

Result<void> RealtimeServer::State::append_base64(std::string_view base64, Instant now)
{
    if (base64.size() / 4 * 3 > limits.append_bytes_max)
        return Error{Code::too_large,
                     "'audio' holds more than the " + std::to_string(limits.append_bytes_max) + " bytes of one event. Send it in pieces.",
                     "audio"};
    std::vector<std::byte> bytes(audio::base64_decoded_bytes_max(base64.size()));
    const auto decoded = audio::base64_decode(base64, bytes.data());
    if (!decoded)
        return Error{Code::invalid_audio,
                     "'audio' is not base64 at character " + std::to_string(decoded.error_at) +
                         ". Send it padded and without line breaks.",
                     "audio"};

    std::vector<TurnEdge> edges;
    idle.before_append(now, user_audio.buffer().end());
    for (std::span<const std::byte> rest(bytes.data(), decoded.bytes); !rest.empty();) {
        const auto chunk = rest.first(std::min(rest.size(), UserAudio::chunk_bytes_max));
        rest = rest.subspan(chunk.size());
        edges.clear();
        user_audio.append(chunk, edges);
        for (const TurnEdge& edge : edges) on_turn_edge(edge, now);
        user_audio.drop_old_quiet();
    }
    return {};
}

void RealtimeServer::State::on_turn_edge(const TurnEdge& edge, Instant now)
{
    if (edge.kind == TurnEdge::Kind::started) {
        speech = {.item_id = make_id("item_"), .begin = std::max(edge.at_sample, user_audio.buffer().begin())};
        send("input_audio_buffer.speech_started", {{"audio_start_ms", ms_at(speech.begin)}, {"item_id", speech.item_id}});
        ResponseRun* running = active_run();
        if (running && session.turn_detection.interrupt_response) cancel(*running, "turn_detected", now);
        idle.disarm();
        return;
    }
    const Speech ended = std::exchange(speech, {});
    send("input_audio_buffer.speech_stopped", {{"audio_end_ms", ms_at(edge.at_sample)}, {"item_id", ended.item_id}});
    commit(ended.begin, edge.at_sample, ended.item_id, Heard::words);
    respond_to_turn(now);
}

void RealtimeServer::State::respond_to_turn(Instant)
{
    if (session.transcription_only || !session.turn_detection.create_response) return;
    if (const ResponseRun* running = active_run()) return send_error(already_active(*running));
    start_response(realtime::read_response_create({}, session).value(), items.all());
}

Result<void> RealtimeServer::State::commit_event(const json::object&, Instant)
{
    const std::size_t samples = user_audio.buffer().size();
    if (samples < limits.commit_ms_min * static_cast<std::size_t>(samples_per_ms))
        return Error{Code::commit_empty,
                     fmt::format("Error committing input audio buffer: buffer too small. Expected at least {}ms of audio, but buffer only "
                                 "has {:.2f}ms of audio.",
                                 limits.commit_ms_min, static_cast<double>(samples) / samples_per_ms)};
    Speech turn = std::exchange(speech, {});
    if (turn.item_id.empty()) turn = {.item_id = make_id("item_"), .begin = user_audio.buffer().begin()};
    user_audio.forget_turn();
    idle.disarm();
    commit(turn.begin, user_audio.buffer().end(), turn.item_id, Heard::words);
    return {};
}

Result<void> RealtimeServer::State::clear_event(const json::object&, Instant)
{
    user_audio.buffer().clear();
    user_audio.forget_turn();
    speech = {};
    send("input_audio_buffer.cleared");
    return {};
}

void RealtimeServer::State::commit(std::uint64_t from, std::uint64_t to, std::string item_id, Heard heard)
{
    std::vector<std::int16_t> samples = user_audio.buffer().take(from, to);
    auto item = std::make_shared<Item>();
    item->id = std::move(item_id);
    // Empty until it is known: the agents SDK wants a string or null here, the strict schema no null.
    const json::object part{{"type", "input_audio"}, {"transcript", ""}};
    item->body = {{"id", item->id}, {"type", "message"}, {"status", "completed"}, {"role", "user"}, {"content", json::array{part}}};
    item->recording.emplace();
    item->recording->append(samples, item_samples_max());
    item->silence = heard == Heard::nothing;

    const json::value previous = items.last_id();
    send("input_audio_buffer.committed", {{"previous_item_id", previous}, {"item_id", item->id}});
    if (items.add(item).has_error()) return;  // not met: the id is fresh
    items.keep_within_limits();
    send("conversation.item.added", {{"previous_item_id", previous}, {"item", item->body}});
    send("conversation.item.done", {{"previous_item_id", previous}, {"item", item->body}});
    if (heard == Heard::words) request_transcript(item, std::move(samples));
}

void RealtimeServer::State::request_transcript(const ItemPtr& item, std::vector<std::int16_t> samples)
{
    const bool reported = session.transcription_only || !session.input_transcription.is_null();
    if (!reported && !transcribe_every_turn) return;
    item->transcript = reported ? Item::Transcript::wanted : Item::Transcript::wanted_silently;
    output.transcriptions.push_back(
        {.item_id = item->id, .samples = std::move(samples), .language = transcription_member(session, "language")});
}

void RealtimeServer::State::on_transcript_delta(std::string_view item_id, std::string_view delta)
{
    const ItemPtr item = items.find(item_id);
    if (!item || item->transcript != Item::Transcript::wanted || !item->recording) return;
    if (!item->transcript_so_far) item->transcript_so_far.emplace();
    TranscriptSoFar& so_far = *item->transcript_so_far;
    if (so_far.sent.size() > streamed_transcript_bytes_max) return;
    std::string text = so_far.characters.push(delta);
    // The whole is trimmed, and the deltas together are to be its beginning.
    if (so_far.sent.empty()) text.erase(0, text.find_first_not_of(" \t\r\n"));
    if (text.empty()) return;
    so_far.sent += text;
    send_transcript_delta(*item, text);
}

void RealtimeServer::State::send_transcript_delta(const Item& item, std::string_view delta)
{
    send("conversation.item.input_audio_transcription.delta",
         {{"item_id", item.id}, {"content_index", static_cast<std::int64_t>(item.recording->content_index)}, {"delta", std::string(delta)}});
}

void RealtimeServer::State::on_transcript(std::string_view item_id, std::string_view text, TranscriptTokens tokens)
{
    const ItemPtr item = items.find(item_id);
    if (!item || item->transcript == Item::Transcript::none || !item->recording) return;
    const bool reported = std::exchange(item->transcript, Item::Transcript::none) == Item::Transcript::wanted;
    const auto so_far = std::exchange(item->transcript_so_far, std::nullopt);
    const std::string transcript = valid_utf8(text);
    if (json::object* part = item->part(item->recording->content_index)) (*part)["transcript"] = transcript;
    if (!reported) return;
    std::string_view rest = transcript;
    // A recogniser may change its mind at the end; then only the whole text is right.
    if (so_far && rest.starts_with(so_far->sent)) rest.remove_prefix(so_far->sent.size());
    else if (so_far && !so_far->sent.empty()) rest = {};
    if (!rest.empty()) send_transcript_delta(*item, rest);
    const std::string model = transcription_member(session, "model");
    send("conversation.item.input_audio_transcription.completed",
         {{"item_id", item->id},
          {"content_index", static_cast<std::int64_t>(item->recording->content_index)},
          {"transcript", transcript},
          {"usage", transcription_usage(model, item->recording->total_ms(), transcript, tokens)}});
}

void RealtimeServer::State::on_transcription_failed(std::string_view item_id, const Error& error)
{
    const ItemPtr item = items.find(item_id);
    if (!item || !item->recording) return;
    item->transcript_so_far.reset();
    if (std::exchange(item->transcript, Item::Transcript::none) != Item::Transcript::wanted) return;
    json::object details{{"type", std::string(realtime_type(error.code))},
                         {"code", error.upstream_code.empty() ? std::string(name(error.code)) : error.upstream_code},
                         {"message", valid_utf8(error.message)}};
    if (!error.param.empty()) details["param"] = error.param;
    send("conversation.item.input_audio_transcription.failed",
         {{"item_id", item->id},
          {"content_index", static_cast<std::int64_t>(item->recording->content_index)},
          {"error", std::move(details)}});
}

std::optional<Instant> RealtimeServer::State::idle_deadline() const
{
    const realtime::TurnDetection& turns = session.turn_detection;
    if (turns.type != realtime::TurnDetection::Type::server_vad || !turns.idle_timeout_ms) return std::nullopt;
    if (session.transcription_only || !speech.item_id.empty() || active_run()) return std::nullopt;
    return idle.deadline(milliseconds(*turns.idle_timeout_ms));
}

void RealtimeServer::State::on_idle(Instant now)
{
    const InputBuffer& buffer = user_audio.buffer();
    const std::uint64_t end = buffer.end();
    const std::uint64_t begin = std::clamp(idle.quiet_begin().value_or(end), buffer.begin(), end);
    const std::string item_id = make_id("item_");
    idle.disarm();
    user_audio.forget_turn();
    send("input_audio_buffer.timeout_triggered", {{"audio_start_ms", ms_at(begin)}, {"audio_end_ms", ms_at(end)}, {"item_id", item_id}});
    commit(begin, end, item_id, Heard::nothing);
    respond_to_turn(now);
}

}  // namespace repartee::engine
