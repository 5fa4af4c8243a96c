//! Who runs on which core. With a single one, and where programs can't choose,
//! all share what there is.

#[cfg(target_os = "linux")]
mod linux {
    use anyhow::Context;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    pub(crate) fn to_the_first() -> anyhow::Result<()> {
        let cores = cores()?;
        keep(cores.first().into_iter())
    }

    pub(crate) fn to_all_but_the_first() -> anyhow::Result<()> {
        let cores = cores()?;
        keep(cores.iter().skip(usize::from(cores.len() > 1)))
    }

    fn cores() -> anyhow::Result<Vec<usize>> {
        let allowed = sched_getaffinity(None).context("which cores may be used")?;
        Ok((0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect())
    }

    fn keep<'a>(cores: impl Iterator<Item = &'a usize>) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        cores.for_each(|core| set.set(*core));
        sched_setaffinity(None, &set).context("keeping to a core")
    }
}

/// For the stub.
pub(crate) fn to_the_first() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    linux::to_the_first()?;
    Ok(())
}

/// For those who ask it.
pub(crate) fn to_all_but_the_first() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    linux::to_all_but_the_first()?;
    Ok(())
}
