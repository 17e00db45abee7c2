#pragma once
#include "repartee/audio/reply_encoder.hpp"
#include "repartee/engine/reply.hpp"
#include "repartee/net/websocket.hpp"

#include <optional>
#include <string>

namespace repartee::voice {

/// Speech → encoded binary frames of exactly `chunk_bytes` (the last may be shorter), sent as it is made. `client` and `encoder` outlive it.
class ChunkSink final : public engine::ReplySink {
public:
    ChunkSink(net::WebSocket& client, audio::ReplyEncoder& encoder, std::size_t chunk_bytes, Metrics& metrics)
        : client_(client), encoder_(encoder), chunk_bytes_(chunk_bytes), metrics_(metrics)
    {
    }

    void on_text(std::string_view) override {}
    void on_call(const providers::ToolCall&) override {}
    void on_audio(std::span<const std::int16_t> samples) override
    {
        if (failure_) return;
        sounded_ = true;
        if (const auto encoded = encoder_.encode(samples, unsent_); !encoded) failure_ = encoded.error();
        send_chunks(chunk_bytes_);
    }

    awaitable<void> wait_for_room() override
    {
        if (client_.unsent_bytes() > unsent_bytes_max) co_await client_.sent();
    }

    /// What is left, when anything was said.
    Result<void> finish()
    {
        if (!failure_ && sounded_)
            if (const auto finished = encoder_.finish(unsent_); !finished) failure_ = finished.error();
        send_chunks(1);
        if (failure_) return *failure_;
        return {};
    }

private:
    static constexpr std::size_t unsent_bytes_max = 128 << 10;

    void send_chunks(std::size_t bytes_min)
    {
        std::size_t sent = 0;
        while (unsent_.size() - sent >= bytes_min && sent < unsent_.size()) {
            const std::string_view chunk = std::string_view(unsent_).substr(sent, chunk_bytes_);
            // A client that is gone is noticed by the reader.
            if (!client_.send_binary(std::as_bytes(std::span(chunk)))) break;
            metrics_.client_frames_out.add();
            metrics_.client_bytes_out.add(chunk.size());
            sent += chunk.size();
        }
        unsent_.erase(0, sent);
    }

    net::WebSocket& client_;
    audio::ReplyEncoder& encoder_;
    const std::size_t chunk_bytes_;
    Metrics& metrics_;
    std::string unsent_;
    std::optional<Error> failure_;
    bool sounded_ = false;
};

}  // namespace repartee::voice
