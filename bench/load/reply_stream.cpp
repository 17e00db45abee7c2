#include "reply_stream.hpp"

#include "repartee/audio/base64.hpp"
#include "repartee/base/ids.hpp"

#include <algorithm>
#include <vector>

namespace repartee::bench {
namespace {

constexpr int cell_ms = 20;
constexpr std::size_t queued_bytes_enough = 64 << 10;

}  // namespace

ReplyStream::ReplyStream(EventLoop& loop, WsConnection& to, const UpstreamConfig& config, UpstreamCounts& counts)
    : loop_(loop), to_(to), config_(config), counts_(counts), timer_(loop, [this] {
          send_due();
          to_.flush();
      })
{
}

std::uint32_t ReplyStream::cells_a_delta() const { return static_cast<std::uint32_t>(std::max(1, config_.delta_ms / cell_ms)); }

std::int64_t ReplyStream::sent_ms() const { return static_cast<std::int64_t>(cells_sent_) * cell_ms; }

void ReplyStream::begin(std::uint32_t session, std::uint32_t cause, const std::string& previous_item_id)
{
    ids_ = {make_id("resp_"), make_id("item_"), previous_item_id};
    delta_.emplace(ids_);
    tag_.session = session;
    tag_.cause = cause;
    tag_.cells = static_cast<std::uint32_t>(std::max(1, config_.reply_ms / cell_ms));
    cells_sent_ = 0;
    begun_ns_ = now_ns();
    ++counts_.replies;
    for (const std::string& event : reply_begin_events(ids_)) to_.queue_text(event);
    send_due();
}

void ReplyStream::send_due()
{
    while (running() && !to_.is_closed()) {
        if (config_.reply_factor > 0) {
            const auto due_ns = begun_ns_ + static_cast<std::int64_t>(static_cast<double>(cells_sent_) * cell_ms * ns_per_ms / config_.reply_factor);
            if (due_ns > now_ns()) return timer_.arm(due_ns);
        } else if (to_.queued_bytes() > queued_bytes_enough) {
            to_.flush();
            if (to_.queued_bytes() > 0) return;  // on_drained() goes on
        }
        send_delta();
    }
}

void ReplyStream::send_delta()
{
    static std::vector<std::byte> pcm;
    const std::uint32_t cells = std::min(cells_a_delta(), tag_.cells - cells_sent_);
    pcm.resize(cells * reply_cell_bytes);
    for (std::uint32_t i = 0; i < cells; ++i) {
        tag_.sequence = reply_sequence(replies_, cells_sent_ + i);
        write_frame(tag_, std::span(pcm).subspan(i * reply_cell_bytes, reply_cell_bytes));
    }
    delta_->write_pcm(to_, pcm);
    ++counts_.deltas;
    counts_.delta_base64_bytes += audio::base64_encoded_bytes(pcm.size());
    cells_sent_ += cells;
    if (cells_sent_ == tag_.cells) end(ReplyEnd::completed);
}

void ReplyStream::end(ReplyEnd how)
{
    for (const std::string& event : reply_end_events(ids_, how)) to_.queue_text(event);
    delta_.reset();
    timer_.disarm();
    ++replies_;
}

void ReplyStream::cancel(ReplyEnd how)
{
    if (!running()) return;
    ++counts_.replies_cancelled;
    end(how);
}

void ReplyStream::on_drained()
{
    if (config_.reply_factor <= 0) send_due();
}

}  // namespace repartee::bench
