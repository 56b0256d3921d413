//! Servers in processes of their own, on other cores than the callers.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use parking_lot::Mutex;
use prost::Message as _;
use tempfile::TempDir;

use crate::ask::{Asking, Question};
use crate::peer::{Ours, batch, request};
use crate::{Failure, Over};

/// Which server a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Decides nothing.
    Floor,
    /// What `stagedoor serve --demo` is.
    Demo,
    /// The same over a generated studio, with a background that can be told to write.
    Studio,
}

/// What a studio's background does while it is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Doing {
    Nothing,
    /// So many changes a second.
    Writes(u64),
    /// The same studio again and again.
    Reload,
    /// The same, a tenth of its tasks changed each time.
    ReloadTenth,
}

/// Starts children, and holds what they need.
#[derive(Debug)]
pub(crate) struct Nursery {
    directory: TempDir,
    cores: Option<usize>,
}

/// A running child, ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) peer: Ours,
    child: Child,
    /// Commands to it, and its answers.
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

// === impl Nursery ===

impl Nursery {
    pub(crate) fn new(cores: Option<usize>) -> Result<Self, Failure> {
        Ok(Self { directory: tempfile::tempdir()?, cores })
    }

    /// stagedoor over the demo's studio, or over one of so many tasks.
    pub(crate) async fn stagedoor(&self, over: Over, tasks: Option<usize>) -> Result<Server, Failure> {
        let address = self.address("stagedoor", over)?;
        match tasks {
            None => self.start(Role::Demo, "stagedoor", address, &[]).await,
            Some(tasks) => {
                self.start(Role::Studio, "stagedoor", address, &["--tasks".to_owned(), tasks.to_string()]).await
            }
        }
    }

    /// A floor that answers as this stagedoor answers what is asked first.
    pub(crate) async fn floor(&self, over: Over, stagedoor: &Server, askings: &[Asking]) -> Result<Server, Failure> {
        let file = self.directory.path().join("answers");
        std::fs::write(&file, stagedoor.sample(askings).await?)?;
        let answers = ["--answers".to_owned(), file.display().to_string()];
        self.start(Role::Floor, "floor", self.address("floor", over)?, &answers).await
    }

    async fn start(&self, role: Role, name: &'static str, address: String, more: &[String]) -> Result<Server, Failure> {
        let program = std::env::current_exe()?;
        let mut command = match self.cores {
            Some(cores) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &format!("0-{}", cores - 2)]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let role = role.to_possible_value().map(|role| role.get_name().to_owned()).unwrap_or_default();
        command.args(["--serve", &role, "--at", &address]).args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a child without pipes".into());
        };
        let pipes = Mutex::new((stdin, BufReader::new(stdout)));
        let server = Server { peer: Ours { name, address }, child, pipes };
        server.answer()?;
        for _ in 0..200 {
            if server.peer.client().await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        Err(format!("no server at {}", server.peer.address).into())
    }

    fn address(&self, name: &str, over: Over) -> Result<String, Failure> {
        match over {
            // Not the same path twice: a child that ended may have left it.
            Over::Unix => {
                let socket = tempfile::Builder::new().prefix(name).tempdir_in(self.directory.path())?.keep();
                Ok(format!("unix:{}", socket.join("socket").display()))
            }
            Over::Tcp => Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string()),
        }
    }
}

// === impl Server ===

impl Server {
    /// What this stagedoor answers to the first of each, for the floor to repeat.
    async fn sample(&self, askings: &[Asking]) -> Result<Vec<u8>, Failure> {
        let mut client = self.peer.client().await?;
        let mut answers = Vec::new();
        for asking in askings {
            let questions = asking.next();
            let question: &Question = questions.first().ok_or("nothing is asked")?;
            // Twice: from the cache, where it is one that is cached. The demo may be loading at first.
            let mut tries = 0..200;
            let right = |decision: i32| (decision == 1) == asking.is_allow();
            let check = loop {
                client.check(request(question)).await?;
                let check = client.check(request(question)).await?.into_inner();
                let stale = check.reason.as_ref().is_some_and(|reason| reason.code == 10);
                if right(check.decision) && !stale {
                    break check;
                }
                tries.next().ok_or_else(|| format!("not answered as it should be: {question:?}: {check:?}"))?;
                tokio::time::sleep(Duration::from_millis(25)).await;
            };
            let many = client.batch_check(batch(&questions)).await?.into_inner();
            answers.extend(check.encode_length_delimited_to_vec());
            answers.extend(many.encode_length_delimited_to_vec());
        }
        Ok(answers)
    }

    /// Tells a studio what to do from now on. What it says of what it did until now: how often, and in how many seconds.
    pub(crate) fn tell(&self, doing: Doing) -> Result<(u64, f64), Failure> {
        let line = match doing {
            Doing::Nothing => "nothing 0".to_owned(),
            Doing::Writes(rate) => format!("writes {rate}"),
            Doing::Reload => "reload 0".to_owned(),
            Doing::ReloadTenth => "reload 10".to_owned(),
        };
        writeln!(self.pipes.lock().0, "{line}")?;
        let answer = self.answer()?;
        let (times, seconds) = answer.trim().split_once(' ').ok_or("a child that does not say what it did")?;
        Ok((times.parse()?, seconds.parse()?))
    }

    /// The next line that the child says.
    fn answer(&self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.pipes.lock().1.read_line(&mut line)? {
            0 => Err("a server ended by itself; what it said stands above".into()),
            _ => Ok(line),
        }
    }

    /// The processor time that it has used so far.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let stat = std::fs::read_to_string(Path::new("/proc").join(self.child.id().to_string()).join("stat"))?;
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_millis(ticks * 10))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A child that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
