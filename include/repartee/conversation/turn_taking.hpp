#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/conversation/backchannel.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

/// 0: off.
struct TurnTakingSettings {
    milliseconds echo_guard{0};       ///< a voice that begins so soon after a reply's first sound does not stop it unless it lasts longer than this
    milliseconds backchannel_max{0};  ///< speech shorter than this does not stop a character, unless it has other words than "uh-huh"
    bool go_on_after_false_interruption = false;  ///< stop at once, and go on when it was nothing or a backchannel
    milliseconds idle_prompt{0};      ///< after so long a silence the character speaks
    int idle_prompts_max = 2;         ///< in a row, without a word of the user
    milliseconds turn_max{120'000};   ///< longest turn of the user
    milliseconds warning{10'000};     ///< before the longest turn ends; 0: none
};

/// What the service does with the user's voice, as told to it: to be kept up to date.
struct VoiceService {
    milliseconds silence{500};  ///< how long it waits before it says that the user has stopped
    bool transcribes = true;    ///< a transcript of every turn may be expected
    bool interrupts = true;     ///< the client wants a voice to stop a reply (its interrupt_response)
};

/// Decides what the user's voice does to a reply. Pure; knows no audio and no response. One answer a call; on_tick() is to be called until it says
/// nothing.
class TurnTaking {
public:
    explicit TurnTaking(const TurnTakingSettings& settings) : settings_(settings) {}

    enum class Step {
        nothing,
        suspend,      ///< the loudspeaker stops, nothing is thrown away, the response is not cancelled
        cut,          ///< the reply is over, as heard so far: cancel the response, truncate, (suspended or not); item_id: the voice's
        go_on,        ///< as drop_turn, and the suspended reply is played on
        drop_turn,    ///< this user item was no turn: the response it brings about is not wanted, the item is deleted
        end_turn,     ///< longest turn: commit, and ask for an answer
        warn_turn,    ///< the turn ends in turn_left()
        prompt_idle,  ///< ask for a response that breaks the silence
    };
    struct Decision {
        Step step = Step::nothing;
        std::string item_id{};  ///< cut, go_on, drop_turn: the user item; empty: unknown, or there is none to drop
    };
    enum class Reply {
        none,
        thinking,  ///< asked for or generated, but not heard: a voice cuts it off at once. Not what answers the voice in question itself
        speaking,  ///< heard, or suspended
    };

    void set_service(const VoiceService& service) { service_ = service; }
    /// Whether we decide, so that the service must be told interrupt_response:false (and we cancel). While false, `cut` is what it does by itself.
    bool decides() const;

    /// From the service. Ids may be empty (not every service gives them). `reply_began`: the first sound of what is heard now.
    Decision on_speech_started(std::string_view item_id, Instant now, Reply reply, Instant reply_began = {});
    /// `speech_ms`: without padding and silence.
    Decision on_speech_stopped(std::string_view item_id, std::int64_t speech_ms, Instant now, Reply reply);
    /// The whole transcript of a turn, whenever it comes; of a turn that is not in question nothing follows.
    Decision on_transcript(std::string_view item_id, std::string_view text, Instant now, Reply reply);
    Decision on_transcript_failed(std::string_view item_id, Instant now, Reply reply);
    /// To be called whenever something happened and at wake_at(), until it says nothing. `quiet`: nobody speaks, nothing is asked for, generated or
    /// played.
    Decision on_tick(Instant now, Reply reply, bool quiet);
    std::optional<Instant> wake_at() const;

    /// The user did something else than speak (typed, asked for a response): the idle prompts begin anew.
    void on_user_active(Instant now);
    /// The loudspeaker comes to another reply, without a silence between: what a voice in question was about is over.
    void on_next_reply();
    /// The user's turn was committed or cleared by somebody: the service may not say that the voice has stopped.
    void on_turn_over() { end_turn(); }
    /// The reply was ended otherwise (the client's response.cancel): whatever was in question is a turn.
    void on_reply_ended();
    /// What the service would have said about a voice under way is lost. The new one says speech_started anew when it is given the audio again.
    void on_upstream_lost(Instant now);

    /// The reply stands still until `cut` or `go_on`.
    bool is_suspended() const { return suspended_; }
    /// How much longer the user may speak, after warn_turn.
    milliseconds turn_left(Instant now) const;

private:
    /// A voice over a reply, about which nothing is decided yet.
    struct Voice {
        std::string item_id;
        Instant began;
        bool guarded;               ///< it began within the echo guard
        bool over = false;          ///< the user stopped
        bool reply_over = false;    ///< what it began over was heard to its end: the voice may be an answer to it
        bool lost = false;          ///< with the service that heard it: there is no item
        std::int64_t speech_ms = 0; ///< when over
        std::optional<Said> said{}; ///< its transcript came before its end
        Instant decide_at;          ///< not over: too long for a backchannel then; over: no transcript comes any more
        std::optional<Instant> suspend_at{};  ///< the echo guard ends, and the voice still lasts
    };
    using Voices = std::vector<Voice>;

    milliseconds short_max(bool guarded) const;
    Voices::iterator find(std::string_view item_id);
    void note_silence(Reply reply);
    Decision settle(Voices::iterator voice, Said said, Reply reply);
    Decision it_is_a_turn(Voices::iterator voice, Reply reply);
    Decision it_is_no_turn(Voices::iterator voice);
    Decision turn_limits(Instant now);
    Decision silence(Instant now, bool quiet);
    void begin_turn(Instant now);
    void end_turn();

    TurnTakingSettings settings_;
    VoiceService service_;
    Voices voices_;  ///< few: oldest first
    bool suspended_ = false;
    std::optional<Instant> turn_began_, warn_at_;
    std::optional<Instant> quiet_since_;
    int idle_prompts_ = 0;
};

}  // namespace repartee::conversation
