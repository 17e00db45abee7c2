#pragma once
#include "repartee/base/clock.hpp"
#include "repartee/conversation/downlink.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/net/websocket.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

/// How a client finds back to its conversation, whichever worker thread either of them is on.
namespace repartee::relay {

/// A client that came back: its new connection, already on the conversation's executor, and what it had got.
struct Return {
    net::WebSocket client;
    conversation::Downlink::ClientPosition position;
};

struct WaitingSettings {
    std::string place;                ///< where the client must come back to; a token is good for nothing elsewhere
    milliseconds window{60'000};      ///< from client_lost() on
    std::size_t waiting_max = 1'000;  ///< of the whole process; beyond it the longest waiting one is given up
    std::shared_ptr<void> slot{};     ///< its place among the sessions, which a new client may get while this one waits
};

class Directory;

/// What a conversation shows the directory. All of it on the conversation's executor; the directory outlives it.
class Waiting {
public:
    enum class GivenUp { window_over, place_wanted };

    Waiting(Directory& directory, asio::any_io_executor executor, WaitingSettings settings);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    /// Called from the event loop when the client came back with the token, also while its old connection still seems alive. The token is void then:
    /// the owner issues another. May destroy this object.
    std::function<void(Return)> on_return;
    /// Called from the event loop when the client will not come any more: its token is void already. May destroy this object.
    std::function<void(GivenUp)> on_given_up;

    /// For session.resume. The one before is void.
    std::string issue_token();
    /// The window begins. `heard`: something came from the client on this connection; when nothing did, it may never have got the token that it was
    /// given there, so the one it came with is good again.
    void client_lost(bool heard);
    /// The conversation ends: who comes now, or is on the way, is told so.
    void withdraw();

    milliseconds window() const;
    bool is_waiting() const;  ///< between client_lost() and on_return

private:
    friend class Directory;
    friend class Claim;
    struct Entry;
    void watch_window(milliseconds limit);

    std::shared_ptr<Entry> entry_;  ///< shared with the directory and with clients on their way
    bool is_waiting_ = false;
    std::unique_ptr<net::Deadline> window_over_;
};

/// A token that was given in. Whoever else has it is refused from now on; dropped without hand_over(), it is good again.
class Claim {
public:
    ~Claim();
    Claim(Claim&&) noexcept = default;
    Claim& operator=(Claim&&) = delete;

    /// Takes the connection to the conversation; from any thread. A conversation that has ended meanwhile tells the client so, and closes.
    void hand_over(net::PartedWebSocket client, conversation::Downlink::ClientPosition position);

private:
    friend class Directory;
    explicit Claim(std::shared_ptr<Waiting::Entry> entry) : entry_(std::move(entry)) {}
    std::shared_ptr<Waiting::Entry> entry_;
};

/// The conversations that a client may come back to, by their tokens. One a process; thread-safe. Tokens are kept as hashes, so neither a look at the
/// memory nor the time that a look-up takes tells one.
class Directory {
public:
    Directory() = default;
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    /// Code::resume_refused: unknown, used, expired, or of another place.
    Result<Claim> claim(std::string_view token, std::string_view place);
    /// Gives up the conversation that has waited longest; its slot goes to who asks. Null: none waits.
    std::shared_ptr<void> take_slot_of_longest_waiting();

    std::size_t tokens() const;   ///< in force
    std::size_t waiting() const;  ///< conversations without their client

private:
    friend class Waiting;
    friend class Claim;
    using Hash = std::array<std::uint8_t, 32>;
    using EntryPtr = std::shared_ptr<Waiting::Entry>;

    void put_token(const EntryPtr& entry, const Hash& token);
    void start_waiting(const EntryPtr& entry, bool heard);
    bool forget_unless_claimed(Waiting::Entry& entry);
    void begin_delivery(Waiting::Entry& entry);
    // These with the mutex held.
    void forget(Waiting::Entry& entry);
    void drop_tokens(Waiting::Entry& entry);
    EntryPtr drop_longest_waiting();

    mutable std::mutex mutex_;
    std::map<Hash, EntryPtr> tokens_;
    std::list<EntryPtr> waiting_;  ///< longest first
};

}  // namespace repartee::relay
