#include "reply_pieces.hpp"

#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <deque>
#include <exception>
#include <stop_token>
#include <utility>
#include <vector>

namespace repartee::engine {
namespace {

constexpr std::size_t samples_per_second = 24'000;
// What a sink gets at once: it may want to make a slower listener wait between two of them.
constexpr std::size_t slice_samples_max = samples_per_second;
// No piece of text takes longer to say; a voice that goes on is broken.
constexpr std::size_t piece_samples_max = 300 * samples_per_second;

/// Whether a voice must have a sound for it; "…" and "—" have none.
bool must_sound(std::string_view speech)
{
    for (std::size_t i = 0; i < speech.size(); ++i) {
        const char c = speech[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
        if (static_cast<unsigned char>(c) < 0x80) continue;
        const std::string_view rest = speech.substr(i);
        const bool punctuation = rest.starts_with("\xE2\x80") || rest.starts_with("\xE3\x80");  // U+2000…203F, U+3000…303F
        if (!punctuation) return true;
        i += 2;
    }
    return false;
}

}  // namespace

struct PieceSpeaker::Piece {
    SpeechPiece words;
    std::vector<std::int16_t> samples;  ///< made, and from handed_out on not yet heard
    std::size_t handed_out = 0;
    std::size_t made = 0;
    bool started = false, ended = false, failed = false, text_is_out = false;
    std::stop_source stop;

    bool has_sound() const { return handed_out < samples.size(); }
};

struct PieceSpeaker::State {
    State(asio::any_io_executor executor, std::shared_ptr<providers::TextToSpeech> speaks, ReplyVoice chosen, std::size_t pieces_ahead, ReplySink& to,
          Events given)
        : tts(std::move(speaks)), voice(std::move(chosen)), ahead(pieces_ahead), sink(to), events(std::move(given)), changed(executor),
          voices(executor, "engine.reply.voice")
    {
    }

    void start_voices(const std::shared_ptr<State>& self);
    void on_samples(Piece& piece, std::span<const std::int16_t> samples);
    void on_voice_end(Piece& piece, const Result<providers::SpeechUsage>& spoken);
    void fail(Piece& piece, Error error);
    void stop();
    void show_text(Piece& piece);
    void hand_out_slice(Piece& piece);
    static awaitable<void> speak(std::shared_ptr<State> state, std::shared_ptr<Piece> piece);

    std::shared_ptr<providers::TextToSpeech> tts;
    ReplyVoice voice;
    std::size_t ahead;
    ReplySink& sink;
    Events events;
    std::deque<std::shared_ptr<Piece>> pieces;  ///< the first is being handed out
    providers::SpeechUsage usage;
    std::optional<Error> failure;
    bool finished = false, stopped = false;
    net::Signal changed;
    net::TaskGroup voices;
};

void PieceSpeaker::State::start_voices(const std::shared_ptr<State>& self)
{
    std::size_t places = 1 + ahead;
    for (const std::shared_ptr<Piece>& piece : pieces) {
        if (piece->words.speech.empty()) continue;
        if (places-- == 0) return;
        if (std::exchange(piece->started, true)) continue;
        voices.spawn(speak(self, piece));
    }
}

awaitable<void> PieceSpeaker::State::speak(std::shared_ptr<State> state, std::shared_ptr<Piece> piece)
{
    // A child begins within its spawn(), amid a walk over the pieces; a voice may answer, or fail, without ever waiting.
    const auto executor = co_await asio::this_coro::executor;
    co_await asio::post(executor, asio::use_awaitable);
    if (piece->stop.stop_requested()) co_return;
    providers::SpeechRequest request;
    request.text = piece->words.speech;
    request.voice = state->voice.voice;
    request.language = state->voice.language;
    request.speed = state->voice.speed;
    request.pitch = state->voice.pitch;
    request.choice = state->voice.choice;
    providers::SpeechSink sink = [&](std::span<const std::int16_t> samples) { state->on_samples(*piece, samples); };
    providers::Stop stop = piece->stop.get_token();
    std::string broke;
    try {
        const auto spoken = co_await state->tts->speak(std::move(request), std::move(sink), std::move(stop));
        state->on_voice_end(*piece, spoken);
        co_return;
    } catch (const std::exception& exception) {
        broke = exception.what();
    }
    state->on_voice_end(*piece, Error{Code::internal, "The voice broke off: " + broke});
}

void PieceSpeaker::State::on_samples(Piece& piece, std::span<const std::int16_t> samples)
{
    if (samples.empty() || piece.stop.stop_requested()) return;
    piece.made += samples.size();
    if (piece.made > piece_samples_max) {
        fail(piece, Error{Code::too_large, "The voice speaks one sentence for more than 300 s. Choose another one in [tts]."});
        piece.stop.request_stop();
        return;
    }
    if (piece.handed_out == piece.samples.size()) {
        piece.samples.clear();
        piece.handed_out = 0;
    }
    piece.samples.insert(piece.samples.end(), samples.begin(), samples.end());
    if (!pieces.empty() && pieces.front().get() == &piece) changed.notify();
}

void PieceSpeaker::State::on_voice_end(Piece& piece, const Result<providers::SpeechUsage>& spoken)
{
    if (piece.ended) return;
    if (!spoken) return fail(piece, spoken.error());
    if (piece.made == 0 && must_sound(piece.words.speech)) {
        const std::string who(tts->provider_name());
        return fail(piece, Error{Code::provider_failed, "The voice (" + who + ") answered without any sound. Look at its settings in [tts]."});
    }
    usage.characters += spoken->characters;
    usage.input_tokens += spoken->input_tokens;
    usage.output_tokens += spoken->output_tokens;
    piece.ended = true;
    changed.notify();
}

void PieceSpeaker::State::fail(Piece& piece, Error error)
{
    piece.ended = true;
    piece.failed = true;
    changed.notify();
    const auto is_piece = [&](const std::shared_ptr<Piece>& other) { return other.get() == &piece; };
    const auto place = std::find_if(pieces.begin(), pieces.end(), is_piece);
    if (stopped || place == pieces.end()) return;
    // Nobody will hear what comes behind it.
    const std::vector<std::shared_ptr<Piece>> unheard(std::next(place), pieces.end());
    pieces.erase(std::next(place), pieces.end());
    finished = true;
    failure = std::move(error);
    for (const std::shared_ptr<Piece>& other : unheard) other->stop.request_stop();
    if (events.on_failure) events.on_failure(*failure);
}

void PieceSpeaker::State::stop()
{
    if (std::exchange(stopped, true)) return;
    changed.notify();
    const auto unheard = std::exchange(pieces, {});
    for (const std::shared_ptr<Piece>& piece : unheard) piece->stop.request_stop();
}

void PieceSpeaker::State::show_text(Piece& piece)
{
    if (!std::exchange(piece.text_is_out, true)) sink.on_text(piece.words.text);
}

void PieceSpeaker::State::hand_out_slice(Piece& piece)
{
    show_text(piece);
    if (stopped) return;
    const std::size_t count = std::min(piece.samples.size() - piece.handed_out, slice_samples_max);
    const auto slice = std::span<const std::int16_t>(piece.samples).subspan(piece.handed_out, count);
    piece.handed_out += count;
    sink.on_audio(slice);
}

PieceSpeaker::PieceSpeaker(asio::any_io_executor executor, std::shared_ptr<providers::TextToSpeech> tts, ReplyVoice voice, std::size_t ahead,
                           ReplySink& sink, Events events)
    : state_(std::make_shared<State>(std::move(executor), std::move(tts), std::move(voice), ahead, sink, std::move(events)))
{
}

void PieceSpeaker::add(SpeechPiece piece)
{
    if (state_->stopped || state_->finished) return;
    auto added = std::make_shared<Piece>();
    added->words = std::move(piece);
    added->ended = added->words.speech.empty();
    state_->pieces.push_back(std::move(added));
    state_->start_voices(state_);
    state_->changed.notify();
}

void PieceSpeaker::finish()
{
    state_->finished = true;
    state_->changed.notify();
}

void PieceSpeaker::stop() { state_->stop(); }

Task<providers::SpeechUsage> PieceSpeaker::hand_out()
{
    const auto state = state_;
    while (!state->stopped) {
        if (state->pieces.empty()) {
            if (state->finished) break;
            co_await state->changed.wait();
            continue;
        }
        const std::shared_ptr<Piece> piece = state->pieces.front();
        if (!piece->has_sound() && !piece->ended) {
            co_await state->changed.wait();
            continue;
        }
        if (state->events.on_sound) state->events.on_sound();
        if (piece->has_sound()) {
            co_await state->sink.wait_for_room();
            if (!state->stopped) state->hand_out_slice(*piece);
            continue;
        }
        if (piece->failed) break;
        state->show_text(*piece);  // of a piece without a sound
        if (state->stopped) break;
        state->pieces.pop_front();
        state->start_voices(state);
    }
    state->stop();
    co_await state->voices.wait_all();
    if (state->failure) co_return *state->failure;
    co_return state->usage;
}

}  // namespace repartee::engine
