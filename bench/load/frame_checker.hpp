#pragma once
#include "frame_content.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace repartee::bench {

struct Integrity {
    std::uint64_t lost = 0;       ///< frames that never came
    std::uint64_t altered = 0;    ///< frames of which something else than was sent came
    std::uint64_t reordered = 0;  ///< frames that came after a later one, or twice

    bool ok() const { return lost == 0 && altered == 0 && reordered == 0; }
    void add(const Integrity& other)
    {
        lost += other.lost;
        altered += other.altered;
        reordered += other.reordered;
    }
};

/// Checks a byte stream, however it is cut into messages, for being exactly the frames of one session, in order and complete.
class FrameChecker {
public:
    /// `session` 0: that of the first frame that comes.
    FrameChecker(Stream stream, std::uint32_t session, std::size_t frame_bytes);

    /// `on_frame` is called for each frame that came whole, with its last byte.
    template <class OnFrame>
    void feed(std::span<const std::byte> bytes, OnFrame&& on_frame)
    {
        while (!bytes.empty()) {
            if (take(bytes)) on_frame(tag_);
        }
    }

    /// The sender was interrupted: the current reply may end anywhere, and the next one begins at its first cell.
    void allow_cut() { may_be_cut_ = true; }
    /// The receiver was told to throw away what has come of the current frame.
    void restart();
    /// `sent` frames are all that will come.
    void finish(std::uint32_t sent);
    /// A reply has begun and not ended.
    bool inside_reply() const { return stream_ == Stream::reply && begun_ && (filled_ > 0 || cell_of(next_) != 0); }
    /// What of the current reply has not come counts as lost.
    void finish_reply();

    std::uint32_t session() const { return session_; }
    const Integrity& integrity() const { return integrity_; }

private:
    bool take(std::span<const std::byte>& bytes);
    void take_tag(std::span<const std::byte>& bytes);
    bool take_noise(std::span<const std::byte>& bytes);
    bool is_ours(const FrameTag& tag) const;
    void accept(const FrameTag& tag);
    std::uint32_t missing_before(const FrameTag& tag) const;

    Stream stream_;
    std::uint32_t session_;
    std::size_t frame_bytes_;

    std::array<std::byte, tag_bytes> head_{};
    std::size_t filled_ = 0;      ///< bytes of the current frame
    bool searching_ = false;      ///< bytes came that belong to no frame
    bool begun_ = false, may_be_cut_ = false;
    FrameTag tag_{};
    std::uint32_t next_ = 0, cells_ = 0;
    Integrity integrity_;
};

}  // namespace repartee::bench
