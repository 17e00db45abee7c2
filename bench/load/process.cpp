#include "process.hpp"

#include <cerrno>
#include <csignal>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <system_error>
#include <unistd.h>

namespace repartee::bench {
namespace {

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

}  // namespace

CpuTime cpu_time()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

void prepare_process()
{
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);  // 50 µs by default
    std::signal(SIGPIPE, SIG_IGN);
}

TerminationSignal::TerminationSignal(EventLoop& loop, std::function<void()> action) : loop_(loop), action_(std::move(action))
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    fd_ = ::signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
    loop_.add(fd_, EPOLLIN, *this);
}

TerminationSignal::~TerminationSignal()
{
    loop_.remove(fd_, *this);
    ::close(fd_);
}

void TerminationSignal::on_ready(std::uint32_t)
{
    signalfd_siginfo info;
    while (::read(fd_, &info, sizeof info) > 0) {
    }
    action_();
}

}  // namespace repartee::bench
