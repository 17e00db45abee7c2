#pragma once
#include "realtime_text.hpp"
#include "ws_connection.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace repartee::bench {

/// Writes `response.output_audio.delta` events of one item straight into a connection's queue: everything but the audio is the same each time.
class DeltaWriter {
public:
    explicit DeltaWriter(const ReplyIds& ids);

    void write_base64(WsConnection& to, std::string_view base64);
    void write_pcm(WsConnection& to, std::span<const std::byte> pcm);

private:
    void count();

    std::string head_;
    std::size_t counter_end_;
};

}  // namespace repartee::bench
