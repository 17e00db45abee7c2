#include "repartee/providers/program.hpp"

#include "repartee/providers/text.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace repartee::providers {
namespace {

constexpr std::size_t piece_bytes = 16 << 10;
constexpr std::size_t error_text_bytes_max = 2 << 10;

Error system_failure(std::string_view what)
{
    return Error{Code::internal, fmt::format("{}: {}.", what, std::strerror(errno))};
}

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd()
    {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    bool valid() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

struct Pipe {
    Fd read, write;
};

Result<Pipe> make_pipe()
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_failure("No pipe could be made");
    Pipe pipe;
    pipe.read = Fd(ends[0]);
    pipe.write = Fd(ends[1]);
    return pipe;
}

// In memory rather than a pipe: a program that never reads its input then blocks nobody.
Result<Fd> make_input(std::string_view text)
{
    Fd file(::memfd_create("input", MFD_CLOEXEC));
    if (!file.valid()) return system_failure("No memory file could be made");
    while (!text.empty()) {
        const ssize_t n = ::write(file.get(), text.data(), text.size());
        if (n < 0 && errno != EINTR) return system_failure("The input could not be written");
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

/// A process until it is reaped. Leads a process group of its own, so that what it starts dies with it.
class Child {
public:
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    Child& operator=(Child&&) = delete;
    ~Child()
    {
        if (pid_ == 0) return;
        kill();
        reap();
    }
    pid_t pid() const { return pid_; }
    void kill() const
    {
        if (pid_ != 0) ::kill(-pid_, SIGKILL);
    }
    int reap()
    {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = 0;
        return status;
    }

private:
    pid_t pid_;
};

/// The part of posix_spawn that must be destroyed.
struct SpawnPlan {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    SpawnPlan(int input, int output, int errors)
    {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
        // Sockets of sessions are not all close-on-exec: accept() of a library decides that, not we.
        ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);

        ::posix_spawnattr_init(&attributes);
        sigset_t none, defaults;
        ::sigemptyset(&none);
        ::sigemptyset(&defaults);
        for (const int signal : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&defaults, signal);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setsigdefault(&attributes, &defaults);
        ::posix_spawnattr_setpgroup(&attributes, 0);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
    ~SpawnPlan()
    {
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
    }
};

struct Started {
    Child child;
    Fd output, errors, exit;
};

Error start_failure(const ProgramRequest& request, int cause)
{
    const std::string& program = request.argv.front();
    if (cause == ENOENT || cause == ENOTDIR)
        return Error{Code::not_configured, fmt::format("{} is not installed. {}", program, request.when_missing)};
    if (cause == EACCES)
        return Error{Code::not_configured, fmt::format("{} may not be executed. {}", program, request.when_missing)};
    return Error{Code::internal, fmt::format("{} could not be started: {}.", program, std::strerror(cause))};
}

// From outside, behind the spawn: posix_spawn sets no limits, and what a program takes before it has read its input is its own size.
void limit_memory(pid_t pid, std::size_t bytes_max)
{
    if (bytes_max == 0) return;
    const rlimit limit{bytes_max, bytes_max};
    ::prlimit(pid, RLIMIT_AS, &limit, nullptr);
}

Result<Started> start(const ProgramRequest& request)
{
    auto input = make_input(request.input);
    if (!input) return input.error();
    auto output = make_pipe();
    if (!output) return output.error();
    auto errors = make_pipe();
    if (!errors) return errors.error();

    const SpawnPlan plan(input->get(), output->write.get(), errors->write.get());
    std::vector<char*> argv;
    for (const std::string& argument : request.argv) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    pid_t pid = 0;
    const int cause = ::posix_spawnp(&pid, argv[0], &plan.actions, &plan.attributes, argv.data(), environ);
    if (cause != 0) return start_failure(request, cause);
    // From here on the child's destructor ends it.
    Child child(pid);
    limit_memory(pid, request.memory_bytes_max);
    // glibc 2.36 declares pidfd_open() without C linkage.
    Fd exit(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!exit.valid()) return system_failure("The end of a program cannot be awaited (Linux 5.3 or newer is needed)");
    return Started{std::move(child), std::move(output->read), std::move(errors->read), std::move(exit)};
}

/// A run in progress. Shared with the handlers of its timer and its standard error; finish() stops both.
class Run : public std::enable_shared_from_this<Run> {
public:
    Run(const asio::any_io_executor& executor, Started started, std::chrono::milliseconds limit)
        : output(executor, started.output.release()), exit(executor, started.exit.release()), child(std::move(started.child)),
          errors_(executor, started.errors.release()), timer_(executor, limit)
    {
    }

    asio::posix::stream_descriptor output, exit;
    Child child;

    void begin()
    {
        watch_limit();
        keep_errors();
    }

    /// Why the program was ended before its time, if it was.
    const std::optional<Code>& ended() const { return ended_; }

    void end(Code why)
    {
        if (ended_ || over_) return;
        ended_ = why;
        child.kill();
        // Somebody who left the process group may still hold the pipe.
        output.close();
    }

    void finish()
    {
        over_ = true;
        timer_.cancel();
        errors_.close();
        output.close();
        exit.close();
        const Child ending = std::move(child);
    }

    /// What came on standard error, including what lies unread in the pipe.
    std::string take_error_text()
    {
        boost::system::error_code failure;
        errors_.non_blocking(true, failure);
        while (!failure && error_text_.size() < error_text_bytes_max) {
            const std::size_t n = errors_.read_some(asio::buffer(error_piece_), failure);
            keep(n);
        }
        return one_line(error_text_, error_text_bytes_max);
    }

private:
    void watch_limit()
    {
        timer_.async_wait([self = shared_from_this()](boost::system::error_code failure) {
            if (!failure) self->end(Code::timeout);
        });
    }

    // Read to the end, also what is not kept: a program that complains at length must not block on it.
    void keep_errors()
    {
        errors_.async_read_some(asio::buffer(error_piece_), [self = shared_from_this()](boost::system::error_code failure, std::size_t n) {
            if (failure || self->over_) return;
            self->keep(n);
            self->keep_errors();
        });
    }

    void keep(std::size_t n)
    {
        const std::size_t room = error_text_bytes_max - error_text_.size();
        error_text_.append(error_piece_.data(), std::min(n, room));
    }

    asio::posix::stream_descriptor errors_;
    asio::steady_timer timer_;
    std::optional<Code> ended_;
    bool over_ = false;
    std::string error_text_;
    std::array<char, 1024> error_piece_{};
};

/// Leaving the coroutine, in whatever way, ends the run.
class RunGuard {
public:
    explicit RunGuard(std::shared_ptr<Run> run) : run_(std::move(run)) {}
    RunGuard(const RunGuard&) = delete;
    RunGuard& operator=(const RunGuard&) = delete;
    ~RunGuard() { run_->finish(); }

private:
    std::shared_ptr<Run> run_;
};

Error ended_early(const ProgramRequest& request, Code why)
{
    const std::string& program = request.argv.front();
    if (why == Code::cancelled) return Error{why, fmt::format("{} was stopped.", program)};
    if (why == Code::timeout)
        return Error{why, fmt::format("{} ran longer than {} ms and was ended. Raise the limit or give it less to do.", program,
                                      request.limit.count())};
    return Error{why, fmt::format("{} wrote more than {} bytes and was ended. Give it less to do.", program, request.output_bytes_max)};
}

Result<void> judge(const ProgramRequest& request, int status, const std::string& error_text)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const std::string because = error_text.empty() ? std::string(".") : ": " + error_text;
    const std::string& program = request.argv.front();
    if (WIFSIGNALED(status))
        return Error{Code::provider_failed, fmt::format("{} was ended by signal {}{}", program, WTERMSIG(status), because)};
    return Error{Code::provider_failed, fmt::format("{} failed with exit status {}{}", program, WEXITSTATUS(status), because)};
}

}  // namespace

Task<> run_program(ProgramRequest request, ByteSink sink, Stop stop)
{
    const auto executor = co_await asio::this_coro::executor;
    if (request.argv.empty() || request.argv.front().empty())
        co_return Error{Code::not_configured, "No program is named. " + request.when_missing};
    auto started = start(request);
    if (!started) co_return started.error();

    const auto run = std::make_shared<Run>(executor, std::move(*started), request.limit);
    const RunGuard guard(run);
    run->begin();
    const auto end_run = [&run] { run->end(Code::cancelled); };
    const std::stop_callback on_stop(stop, end_run);

    std::vector<std::byte> piece(piece_bytes);
    std::size_t output_bytes = 0;
    for (;;) {
        const auto [failure, n] = co_await run->output.async_read_some(asio::buffer(piece), asio::as_tuple(asio::use_awaitable));
        if (run->ended()) break;
        if (failure == asio::error::operation_aborted) co_return ended_early(request, Code::cancelled);
        if (failure) break;
        output_bytes += n;
        if (output_bytes > request.output_bytes_max) {
            run->end(Code::too_large);
            break;
        }
        sink(std::span<const std::byte>(piece).first(n));
    }

    const auto [failure] = co_await run->exit.async_wait(asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
    if (failure) co_return ended_early(request, Code::cancelled);
    const int status = run->child.reap();
    if (run->ended()) co_return ended_early(request, *run->ended());
    co_return judge(request, status, run->take_error_text());
}

bool is_installed(const std::string& program)
{
    if (program.find('/') != std::string::npos) return ::access(program.c_str(), X_OK) == 0;
    const char* path = std::getenv("PATH");
    std::string_view folders = path ? path : "/bin:/usr/bin";
    while (!program.empty()) {
        const std::size_t colon = folders.find(':');
        const std::string folder(folders.substr(0, colon));
        if (::access(((folder.empty() ? "." : folder) + "/" + program).c_str(), X_OK) == 0) return true;
        if (colon == std::string_view::npos) break;
        folders.remove_prefix(colon + 1);
    }
    return false;
}

}  // namespace repartee::providers
