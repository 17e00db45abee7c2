#include "frame.hpp"
#include "programs.hpp"
#include "sockets.hpp"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <queue>
#include <random>

namespace decisions {
namespace {

constexpr std::int64_t frame_ns = 20'000'000;

struct Talk {
    int socket = -1;
    std::uint64_t sent = 0, received = 0;
    FrameCutter cutter;
};

/// What the audio of one frame is: when it was sent, whose it is, and bytes that follow from both.
struct Audio {
    std::array<std::uint64_t, audio_bytes / 8> words;

    Audio(std::uint64_t talk, std::uint64_t number, std::int64_t sent_ns)
    {
        words[0] = static_cast<std::uint64_t>(sent_ns);
        words[1] = talk;
        words[2] = number;
        std::uint64_t state = words[0] ^ (talk << 32) ^ number;
        for (std::size_t i = 3; i < words.size(); ++i) words[i] = state = state * 6364136223846793005U + 1442695040888963407U;
    }
};

double quantile_us(std::vector<std::uint32_t> values_ns, double quantile)
{
    if (values_ns.empty()) return 0;
    const auto at = values_ns.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(values_ns.size() - 1));
    std::nth_element(values_ns.begin(), at, values_ns.end());
    return *at / 1e3;
}

class Load {
public:
    explicit Load(const Options& options) : options_(options), side_(options.direct ? Side::upstream : Side::client) {}

    int run();

private:
    void connect();
    void send(std::size_t index);
    void receive(std::size_t index);
    void report() const;

    Options options_;
    Side side_;
    int poll_ = -1;
    std::vector<Talk> talks_;
    std::vector<std::uint32_t> round_trips_ns_, late_ns_;
    std::int64_t measure_from_ns_ = 0;
    std::uint64_t lost_ = 0;
};

void Load::connect()
{
    poll_ = ::epoll_create1(EPOLL_CLOEXEC);
    talks_.resize(static_cast<std::size_t>(options_.sessions));
    for (std::size_t i = 0; i < talks_.size(); ++i) {
        talks_[i].socket = connect_to(options_.port);
        make_nonblocking(talks_[i].socket);
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.u64 = i}};
        require(::epoll_ctl(poll_, EPOLL_CTL_ADD, talks_[i].socket, &event) == 0, "epoll_ctl");
    }
}

void Load::send(std::size_t index)
{
    Talk& talk = talks_[index];
    const Audio audio(index, talk.sent++, now_ns());
    std::array<std::byte, upstream_frame_bytes> frame;
    build_frame(side_, reinterpret_cast<const std::byte*>(audio.words.data()), frame.data());
    const auto size = static_cast<ssize_t>(frame_bytes(side_));
    require(::send(talk.socket, frame.data(), frame_bytes(side_), MSG_NOSIGNAL) == size, "the relay does not keep up: send");
}

void Load::receive(std::size_t index)
{
    static std::array<std::byte, 65536> buffer;
    Talk& talk = talks_[index];
    const ssize_t got = ::recv(talk.socket, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return;
    require(got > 0, "the relay hung up");
    const std::int64_t now = now_ns();
    talk.cutter.feed(side_, {buffer.data(), static_cast<std::size_t>(got)}, [&](const std::byte* bytes) {
        std::int64_t sent_ns = 0;
        std::memcpy(&sent_ns, bytes, sizeof sent_ns);
        const Audio expected(index, talk.received++, sent_ns);
        if (std::memcmp(bytes, expected.words.data(), audio_bytes) != 0) throw std::runtime_error("audio arrived altered, lost or out of order");
        if (sent_ns >= measure_from_ns_) round_trips_ns_.push_back(static_cast<std::uint32_t>(now - sent_ns));
    });
}

void Load::report() const
{
    // How late the generator itself was tells a disturbed run from a slow relay.
    std::printf("{\"round_trips\": %zu, \"p50_us\": %.1f, \"p99_us\": %.1f, \"late_p99_us\": %.1f, \"lost\": %llu}\n", round_trips_ns_.size(),
                quantile_us(round_trips_ns_, 0.5), quantile_us(round_trips_ns_, 0.99), quantile_us(late_ns_, 0.99),
                static_cast<unsigned long long>(lost_));
    std::fflush(stdout);
}

int Load::run()
{
    ::prctl(PR_SET_TIMERSLACK, 1);
    connect();
    using Due = std::pair<std::int64_t, std::size_t>;
    std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
    // People do not speak in step; the same seed gives each variant the same disorder.
    std::minstd_rand random(1);
    std::uniform_int_distribution<std::int64_t> phase_ns(0, frame_ns - 1);
    const std::int64_t begin = now_ns() + 50'000'000;
    for (std::size_t i = 0; i < talks_.size(); ++i) due.emplace(begin + phase_ns(random), i);
    measure_from_ns_ = begin + options_.warm_up_ms * 1'000'000LL;
    const std::int64_t end = measure_from_ns_ + options_.window_ms * 1'000'000LL;
    round_trips_ns_.reserve(talks_.size() * static_cast<std::size_t>(options_.window_ms / 20 + 8));

    std::array<epoll_event, 256> ready;
    bool measuring = false;
    for (std::int64_t now = now_ns(); now < end; now = now_ns()) {
        if (!measuring && now >= measure_from_ns_) {
            measuring = true;
            std::puts("begin");
            std::fflush(stdout);
        }
        for (; due.top().first <= now && now < end; now = now_ns()) {
            const auto [time, index] = due.top();
            due.pop();
            if (measuring) late_ns_.push_back(static_cast<std::uint32_t>(now - time));
            send(index);
            due.emplace(time + frame_ns, index);
        }
        const std::int64_t wait_ns = std::max<std::int64_t>(0, std::min(due.top().first, end) - now);
        const timespec wait{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
        const int count = ::epoll_pwait2(poll_, ready.data(), ready.size(), &wait, nullptr);
        require(count >= 0 || errno == EINTR, "epoll_pwait2");
        for (int i = 0; i < count; ++i) receive(ready[static_cast<std::size_t>(i)].data.u64);
    }
    std::puts("end");
    std::fflush(stdout);

    // Whatever is on its way may take this long; what is missing then is lost.
    const auto outstanding = [&] {
        std::uint64_t sum = 0;
        for (const Talk& talk : talks_) sum += talk.sent - talk.received;
        return sum;
    };
    for (const std::int64_t limit = now_ns() + 1'000'000'000; outstanding() > 0 && now_ns() < limit;) {
        const int count = ::epoll_wait(poll_, ready.data(), ready.size(), 20);
        for (int i = 0; i < count; ++i) receive(ready[static_cast<std::size_t>(i)].data.u64);
    }
    lost_ = outstanding();
    std::getchar();  // until bench/decisions/run has looked at the relay, which ends when this program does
    report();
    return lost_ == 0 ? 0 : 1;
}

}  // namespace

int run_load(const Options& options)
{
    return Load(options).run();
}

}  // namespace decisions
