#include "relays.hpp"
#include "sockets.hpp"

#include <liburing.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>

// Everything here works with Linux 6.1: ring-mapped buffers need 5.19, multishot recv and SINGLE_ISSUER 6.0, DEFER_TASKRUN 6.1.
namespace decisions {
namespace {

constexpr unsigned queue_entries = 512;
constexpr unsigned completions_max = 4096;
constexpr int buffer_group = 0;
constexpr unsigned buffers = 128;  // few, so that they stay in the cache
constexpr std::size_t buffer_bytes = 2048;
constexpr unsigned all_that_comes = 1024;

// The low bits of user_data; connections are aligned to more than that.
enum Kind : std::uint64_t { received = 0, writable = 1, sent = 2, kind_mask = 3 };

class UringRelay {
public:
    UringRelay(Connections& connections, const Options& options, Counters& counters);
    ~UringRelay();
    void run();

private:
    struct Send {
        Connection* to;
        std::size_t at, bytes;
    };
    /// One batch of sends. The kernel has copied it when the call that submits it returns; two take turns so that a failure can still be read.
    /// Two sends to one socket would change places if only the first found no room: the load generator would see it, and it has not happened.
    struct Batch {
        std::vector<std::byte> bytes;
        std::vector<Send> sends;
    };

    void require_zero(int result, const char* what);
    io_uring_sqe* next_entry();
    void arm_receive(Connection& from);
    void wait_in_ring();
    void wait_in_epoll();
    void process();
    void on_received(Connection& from, const io_uring_cqe& completion);
    void on_send_failed(const Send& send, const Batch& batch, int result);
    void queue_sends();

    Connections& connections_;
    const Options& options_;
    Counters& counters_;
    bool nested_, deferred_;
    io_uring ring_{};
    int poll_ = -1, bell_ = -1;
    io_uring_buf_ring* buffer_ring_ = nullptr;
    std::vector<std::byte> buffers_ = std::vector<std::byte>(buffers * buffer_bytes);
    Batch batches_[2];
    unsigned turn_ = 0;
    std::vector<Connection*> kept_;  ///< have bytes behind those that this batch sends
    std::size_t open_clients_;
    unsigned processed_ = 0;
};

UringRelay::UringRelay(Connections& connections, const Options& options, Counters& counters)
    : connections_(connections), options_(options), counters_(counters), nested_(options.relay.starts_with("uring-nested")),
      deferred_(options.relay != "uring-nested"), open_clients_(connections.size() / 2)
{
    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_CQSIZE | (deferred_ ? IORING_SETUP_DEFER_TASKRUN : IORING_SETUP_COOP_TASKRUN);
    params.cq_entries = completions_max;
    require_zero(io_uring_queue_init_params(queue_entries, &ring_, &params), "io_uring_setup");
    if (io_uring_register_ring_fd(&ring_) != 1) throw std::runtime_error("io_uring_register_ring_fd");

    const std::size_t bytes = buffers * sizeof(io_uring_buf);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "mmap");
    buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
    registration.ring_entries = buffers;
    registration.bgid = buffer_group;
    require_zero(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffer_ring_);
    for (unsigned i = 0; i < buffers; ++i) {
        io_uring_buf_ring_add(buffer_ring_, buffers_.data() + i * buffer_bytes, buffer_bytes, static_cast<unsigned short>(i),
                              io_uring_buf_ring_mask(buffers), static_cast<int>(i));
    }
    io_uring_buf_ring_advance(buffer_ring_, buffers);

    std::vector<int> sockets;
    for (Connection& connection : connections_) {
        connection.slot = sockets.size();
        sockets.push_back(connection.socket);
    }
    require_zero(io_uring_register_files(&ring_, sockets.data(), static_cast<unsigned>(sockets.size())), "io_uring_register_files");
    for (Connection& connection : connections_) arm_receive(connection);

    if (nested_) {
        poll_ = ::epoll_create1(EPOLL_CLOEXEC);
        epoll_event event{.events = EPOLLIN | EPOLLET, .data = {.ptr = nullptr}};
        // The ring's own fd does not become readable for work that DEFER_TASKRUN has put off; an eventfd does.
        if (deferred_) {
            bell_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
            require_zero(io_uring_register_eventfd(&ring_, bell_), "io_uring_register_eventfd");
        }
        require(::epoll_ctl(poll_, EPOLL_CTL_ADD, deferred_ ? bell_ : ring_.ring_fd, &event) == 0, "epoll_ctl");
        io_uring_submit(&ring_);
    }
}

UringRelay::~UringRelay()
{
    io_uring_queue_exit(&ring_);
    ::munmap(buffer_ring_, buffers * sizeof(io_uring_buf));
}

void UringRelay::require_zero(int result, const char* what)
{
    errno = -result;
    require(result == 0, what);
}

io_uring_sqe* UringRelay::next_entry()
{
    if (io_uring_sqe* const entry = io_uring_get_sqe(&ring_)) return entry;
    ++counters_.syscalls;
    io_uring_submit(&ring_);
    return io_uring_get_sqe(&ring_);
}

void UringRelay::arm_receive(Connection& from)
{
    io_uring_sqe* const entry = next_entry();
    io_uring_prep_recv_multishot(entry, static_cast<int>(from.slot), nullptr, 0, 0);
    entry->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    entry->buf_group = buffer_group;
    io_uring_sqe_set_data64(entry, reinterpret_cast<std::uint64_t>(&from) | received);
}

void UringRelay::on_received(Connection& from, const io_uring_cqe& completion)
{
    if (completion.res > 0) {
        const unsigned id = completion.flags >> IORING_CQE_BUFFER_SHIFT;
        std::byte* const buffer = buffers_.data() + id * buffer_bytes;
        Connection& to = *from.peer;
        Batch& batch = batches_[turn_];
        const std::size_t at = batch.bytes.size();
        translate(from, {buffer, static_cast<std::size_t>(completion.res)}, batch.bytes);
        const std::size_t bytes = batch.bytes.size() - at;
        counters_.frames += frames_in(to.side, bytes);
        io_uring_buf_ring_add(buffer_ring_, buffer, buffer_bytes, static_cast<unsigned short>(id), io_uring_buf_ring_mask(buffers), 0);
        io_uring_buf_ring_advance(buffer_ring_, 1);
        if (!to.unsent.empty()) {
            if (to.unsent.size() + bytes > unsent_bytes_max) throw std::runtime_error("a peer does not read");
            to.unsent.insert(to.unsent.end(), batch.bytes.begin() + static_cast<std::ptrdiff_t>(at), batch.bytes.end());
            batch.bytes.resize(at);
        } else if (bytes > 0 && !batch.sends.empty() && batch.sends.back().to == &to) {
            batch.sends.back().bytes += bytes;
        } else if (bytes > 0) {
            batch.sends.push_back({&to, at, bytes});
        }
    } else if (completion.res != -ENOBUFS) {
        if (from.side == Side::client) --open_clients_;
        return;
    }
    if ((completion.flags & IORING_CQE_F_MORE) == 0) arm_receive(from);
}

void UringRelay::on_send_failed(const Send& send, const Batch& batch, int result)
{
    if (result < 0 && result != -EAGAIN) return;  // the reading side sees why
    const auto begin = batch.bytes.begin() + static_cast<std::ptrdiff_t>(send.at);
    send.to->unsent.insert(send.to->unsent.end(), begin + std::max(0, result), begin + static_cast<std::ptrdiff_t>(send.bytes));
    kept_.push_back(send.to);
}

void UringRelay::process()
{
    const Batch& last = batches_[turn_];
    turn_ ^= 1;
    batches_[turn_].bytes.clear();
    batches_[turn_].sends.clear();
    unsigned head = 0;
    io_uring_cqe* completion = nullptr;
    processed_ = 0;
    io_uring_for_each_cqe(&ring_, head, completion)
    {
        ++processed_;
        const std::uint64_t data = completion->user_data;
        auto* const connection = reinterpret_cast<Connection*>(data & ~std::uint64_t(kind_mask));
        switch (data & kind_mask) {
        case received: on_received(*connection, *completion); break;
        case writable: kept_.push_back(connection); break;
        default: on_send_failed(last.sends.at(data >> 2), last, completion->res); break;
        }
    }
    io_uring_cq_advance(&ring_, processed_);
    for (Connection* const connection : kept_) {
        send_kept(*connection, counters_);
        if (connection->unsent.empty()) continue;
        io_uring_sqe* const entry = next_entry();
        io_uring_prep_poll_add(entry, static_cast<int>(connection->slot), POLLOUT);
        entry->flags |= IOSQE_FIXED_FILE;
        io_uring_sqe_set_data64(entry, reinterpret_cast<std::uint64_t>(connection) | writable);
    }
    kept_.clear();
    queue_sends();
}

void UringRelay::queue_sends()
{
    const Batch& batch = batches_[turn_];
    for (std::size_t i = 0; i < batch.sends.size(); ++i) {
        const Send& send = batch.sends[i];
        io_uring_sqe* const entry = next_entry();
        // Not to wait and to report only failure: so a send is over when it is submitted, and wakes nobody.
        io_uring_prep_send(entry, static_cast<int>(send.to->slot), batch.bytes.data() + send.at, send.bytes,
                           MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
        entry->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
        io_uring_sqe_set_data64(entry, std::uint64_t(i) << 2 | sent);
    }
}

void UringRelay::wait_in_ring()
{
    ++counters_.syscalls;
    if (options_.tick_us == 0 || processed_ == 0) {
        io_uring_submit_and_wait(&ring_, 1);
        return;
    }
    __kernel_timespec wait{0, options_.tick_us * 1000LL};
    io_uring_cqe* first = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &first, all_that_comes, &wait, nullptr);
}

void UringRelay::wait_in_epoll()
{
    if (io_uring_sq_ready(&ring_) > 0) {
        ++counters_.syscalls;
        io_uring_submit(&ring_);
    }
    epoll_event event{};
    ++counters_.syscalls;
    // Without DEFER_TASKRUN the kernel may break this off to deliver completions: EINTR is a wake-up like any other.
    const int count = ::epoll_wait(poll_, &event, 1, -1);
    require(count >= 0 || errno == EINTR, "epoll_wait");
    if (!deferred_) return;
    ++counters_.syscalls;
    io_uring_get_events(&ring_);
}

void UringRelay::run()
{
    while (open_clients_ > 0) {
        if (nested_) wait_in_epoll();
        else wait_in_ring();
        ++counters_.wakeups;
        process();
    }
}

}  // namespace

void run_uring(Connections& connections, const Options& options, Counters& counters)
{
    UringRelay(connections, options, counters).run();
}

}  // namespace decisions
