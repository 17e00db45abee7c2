#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/characters/catalogue.hpp"
#include "repartee/conversation/session.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/relay/archive.hpp"
#include "repartee/relay/directory.hpp"
#include "repartee/relay/relay.hpp"
#include "repartee/providers/roles.hpp"
#include "repartee/upstream/upstream.hpp"
#include "repartee/voice/interview.hpp"
#include "repartee/voice/listening.hpp"
#include "repartee/voice/memory.hpp"
#include "repartee/voice/reply_shelf.hpp"
#include "repartee/voice/voice_chat.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace repartee::api {

/// What the HTTP face needs to know of the configuration.
struct Settings {
    std::string version;
    std::string model;                       ///< the model a session has unless the client asks for another
    std::string upstream;                    ///< "openai" or "local"
    std::vector<std::string> api_keys;       ///< empty: anyone may connect
    std::vector<std::string> allowed_origins;  ///< of browsers, besides the server's own; "*": all
    std::string default_character;           ///< for /v1/realtime; empty: none
    std::string audio_dir;                   ///< introductions
    std::int64_t sessions_max = 1'000;
    std::chrono::milliseconds session_limit{10'000};
    conversation::SessionSettings session;   ///< the defaults a conversation starts from
    milliseconds lead{400};
    net::WebSocketLimits conversation_socket, realtime_socket, interview_socket, listen_socket;
    std::vector<std::string> voice_ids;      ///< the operator's own voices (tts.voices_file)
    voice::InterviewSettings interview;
    std::string interview_character;
    voice::VoiceChatSettings voice_chat;
    std::string voice_chat_character;
    voice::ListenSettings listen;
    std::size_t body_bytes_max = 1 << 20;    ///< of every request but an upload
    std::size_t uploads_bytes_max = 256 << 20;  ///< of all uploads under way together; more are answered with 503
    milliseconds body_limit{30'000};
    /// Clients that come back.
    struct Resume {
        milliseconds window{60'000};         ///< 0: off
        std::size_t waiting_max = 1'000, events_bytes_max = 256 << 10;
    } resume;
    /// Tries to get another upstream for a conversation that has lost its own.
    struct Recovery {
        int attempts_max = 16;
        milliseconds backoff_min{50}, backoff_max{2'000};
        milliseconds limit{20'000};          ///< of all together
        bool spoken_line = true;             ///< when they fail, the client hears so too
    } recovery;
};

/// One a process: shared by all workers, thread-safe.
struct Shared {
    Settings settings;
    characters::Catalogue catalogue;
    Metrics metrics;
    relay::Directory directory;                      ///< conversations that a client may come back to
    std::atomic<bool> draining{false};
    std::atomic<std::int64_t> sessions{0};
    std::atomic<std::size_t> upload_bytes{0};        ///< of permits in force
    // Made when the database is open, gone before it is closed.
    std::unique_ptr<voice::Memory> memory;
    std::unique_ptr<voice::InterviewBook> interviews;
    std::unique_ptr<relay::Archive> archive;                   ///< null: neither transcripts nor recordings are kept
    std::unique_ptr<voice::DebugRecordings> debug_recordings;  ///< null: listen.debug is off
    voice::ReplyShelf shelf{64 << 20, milliseconds(600'000)};
};

/// One a worker thread.
struct Services {
    Shared& shared;
    upstream::Source& source;
    relay::Registry& registry;
    const providers::Roles& roles;
};

/// A place among server.sessions_max, held while it lives.
class SessionSlot {
public:
    static std::shared_ptr<SessionSlot> take(Shared& shared);  ///< null: all are taken
    ~SessionSlot();

private:
    explicit SessionSlot(Shared& shared) : shared_(shared) {}
    Shared& shared_;
};

}  // namespace repartee::api
