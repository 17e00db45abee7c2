#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/conversation/persona_overlay.hpp"
#include "repartee/conversation/session.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/relay/directory.hpp"
#include "repartee/upstream/upstream.hpp"

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

/// Where conversations meet sockets: two sockets (or one and the local engine) at a time, a loop for each direction, one owner.
namespace repartee::relay {

/// The running relays of one worker thread, so that a shutdown can reach them.
class Registry {
public:
    class Entry {
    public:
        Entry(Registry& registry, std::function<void()> on_drain) : registry_(registry)
        {
            place_ = registry_.drains_.insert(registry_.drains_.end(), std::move(on_drain));
            if (registry_.draining_) (*place_)();  // it came while the server was already going
        }
        ~Entry() { registry_.drains_.erase(place_); }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

    private:
        Registry& registry_;
        std::list<std::function<void()>>::iterator place_;
    };

    /// Asks every running relay to end when its reply is over.
    void drain()
    {
        draining_ = true;
        for (const auto& drain : drains_) drain();
    }
    std::size_t size() const { return drains_.size(); }

private:
    std::list<std::function<void()>> drains_;
    bool draining_ = false;
};

/// How hard a conversation tries to get another upstream.
struct RecoveryPlan {
    int attempts_max = 16;
    milliseconds backoff_min{50}, backoff_max{2'000};  ///< between two attempts
    milliseconds limit{20'000};                        ///< for all of them
};

/// Speech of a line of text: 24 kHz PCM.
using Speak = std::function<Task<std::vector<std::byte>>(std::string text)>;

/// What a conversation is made of, besides its client.
struct ConversationPlan {
    upstream::Lease lease;             ///< its first upstream
    upstream::Source* source = nullptr;  ///< and where the next ones come from, as asked for by `next`
    upstream::LeaseRequest next;
    conversation::SessionSettings session;
    milliseconds session_limit{10'000};  ///< time for an upstream to accept the session
    RecoveryPlan recovery;
    std::unique_ptr<Waiting> waiting{};  ///< null: a client that is lost does not come back
    std::string last_words;              ///< what the character says when no upstream can be had any more; empty: nothing
    Speak speak{};
};

/// Runs one conversation of `/ws/conversations/{id}` until it is over; it may see several upstreams, and several connections of its client. The plan is
/// given away: nothing of it is kept twice for as long as a conversation lasts.
awaitable<void> run_conversation(net::WebSocket client, std::unique_ptr<ConversationPlan> plan, Registry& registry, Metrics& metrics);

/// What lets a client of /v1/realtime come back. `waiting` null: it may not, and its loss ends the session.
struct RealtimeReturn {
    std::unique_ptr<Waiting> waiting{};
    std::size_t events_bytes_max = 256 << 10;  ///< of events that wait for the client; then the service is not read until it is back
};

/// Runs one session of `/v1/realtime`: events pass both ways, with the character's persona put in when there is an overlay.
awaitable<void> run_realtime(net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                             RealtimeReturn coming_back, std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics);

/// Tells a client that has just connected why there is no session, and closes.
awaitable<void> refuse(net::WebSocket client, Error error, std::uint16_t close_code);

}  // namespace repartee::relay
