#pragma once
#include "repartee/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace repartee::conversation {

/// What the user said, as far as the service may not have understood it: which audio is kept for the next service, and from where on that one listens.
/// A turn is settled when its words are known, or when it has been answered and another one follows. Until then the next service hears it again when
/// it has no answer, and is told of it as sound when it has one. Places are the uplink's positions. Pure.
class UserTurns {
public:
    struct Settings {
        std::size_t idle_bytes = 0;  ///< are kept anyhow of what has left
        bool transcribes = true;     ///< else no words ever come, and an answer settles
    };
    explicit UserTurns(Settings settings) : settings_(settings) {}

    /// Push-to-talk: all that was said since the last commit belongs to the next one.
    void ends_by_commits(bool ends) { by_commits_ = ends; }
    /// Before audio leaves: what leaves faster than it is spoken the service may hear late. True: keep_from() has changed.
    bool on_leaving(std::uint64_t position, std::size_t bytes, Instant now);

    // What the service says. False: it said so before.
    bool on_started(std::string_view item_id, std::uint64_t position, std::int64_t began_ms);
    bool on_stopped(std::string_view item_id, std::uint64_t position);
    struct Place {
        std::uint64_t from = 0, to = 0;
    };
    /// `place`: what has been sent and is kept, at most. `commit_left`: an event that commits leaves again with the turn, see take_settled_commits().
    bool on_committed(std::string_view item_id, Place place, bool commit_left);
    bool was_committed(std::string_view item_id) const { return newest_ == item_id && phase_ == Phase::committed; }
    void on_cleared();
    void on_words_known(std::string_view item_id);
    /// A response in the conversation begins: it answers what was committed before.
    void on_response(std::string_view response_id);
    /// It says or does something, or is over.
    void on_answered(std::string_view response_id);
    /// None of it counts.
    void on_answer_dropped(std::string_view response_id);

    /// So many of the oldest commits leave no more.
    std::size_t take_settled_commits();
    /// Commits of turns that are not settled.
    std::size_t open_commits() const;

    struct Again {
        std::uint64_t from = 0;            ///< where the next service begins to listen
        std::vector<std::string> items{};  ///< are said again, and stand there no more
    };
    /// `place`: what is kept and has been sent.
    Again on_upstream_lost(Place place);

    /// From where on audio is kept although it has left; nullopt: no more than idle_bytes.
    std::optional<std::uint64_t> keep_from() const;
    /// A committed turn whose words are not known.
    std::optional<Place> place_of(std::string_view item_id) const;

    /// The service has still to hear a turn that is said again.
    bool says_again() const { return turns_again_ > 0; }
    /// Words of what was said have not come, and may.
    bool awaits_words() const { return settings_.transcribes && !turns_.empty(); }
    bool is_speaking() const { return !turns_.empty() && turns_.back().speaking; }
    const std::string& newest_item() const { return newest_; }
    std::int64_t began_ms() const { return turns_.empty() ? 0 : turns_.back().began_ms; }

private:
    enum class Phase { started, stopped, committed };
    struct Turn {
        std::string item_id{};
        std::uint64_t from = 0, to = 0;
        std::int64_t began_ms = 0;
        bool speaking = false, committed = false, commit_left = false, known = false, answered = false;
        std::string response{};  ///< its answer
    };
    static constexpr std::size_t turns_max = 8;

    bool is_news(std::string_view item_id, Phase phase);
    std::uint64_t end_of_last() const { return turns_.empty() ? settled_to_ : turns_.back().to; }
    void forget_again();
    void settle_first();
    void settle();

    Settings settings_;
    bool by_commits_ = false;
    std::list<Turn> turns_;            ///< not settled, oldest first; only the last one may be without a commit
    std::uint64_t settled_to_ = 0;
    std::optional<Place> again_;       ///< what this service was sent again, and has not told yet that it heard it
    std::size_t turns_again_ = 0;           ///< in it, whose beginning this service has not heard
    std::optional<Instant> again_left_at_;  ///< all of it
    std::size_t settled_commits_ = 0;
    std::string newest_;               ///< the item of the last event, and what that was
    Phase phase_ = Phase::started;
    std::uint64_t burst_from_ = 0;
    std::optional<Instant> burst_at_;  ///< when burst_from_ left
    bool in_burst_ = false;
};

}  // namespace repartee::conversation
