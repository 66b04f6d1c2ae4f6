# The machine itself: its name, its settings, and since when its processes run.

function Get-ComputerName {
    [CmdletBinding()]
    param()

    return [Environment]::MachineName
}

# Returns the account that this session runs as, as DOMAIN\name.
function Get-AccountName {
    [CmdletBinding()]
    param()

    return [Environment]::UserDomainName + '\' + [Environment]::UserName
}

# Returns the machine's own time in UTC, the clock that also dates its services and
# files.
function Get-MachineTime {
    [CmdletBinding()]
    param()

    return [datetime]::UtcNow
}

function Test-Elevated {
    [CmdletBinding()]
    param()

    $principal = New-Object System.Security.Principal.WindowsPrincipal ([System.Security.Principal.WindowsIdentity]::GetCurrent())
    return $principal.IsInRole([System.Security.Principal.WindowsBuiltInRole]::Administrator)
}

# Returns the names of the forests of the domains that this machine knows: its own
# domain and those that it trusts. A name is empty when no domain controller of the
# domain was found. Netlogon knows these names, so the session needs no credentials
# that a domain controller would take.
# Source: Microsoft, Win32_NTDomain; that it needs no second hop is inferred.
function Get-KnownForest {
    [CmdletBinding()]
    param()

    try { $domains = @(Get-CimInstance -ClassName Win32_NTDomain) }
    catch { return }
    foreach ($domain in $domains) {
        # The machine itself is listed too, without the name of a domain.
        if ([string] $domain.DomainName -ne '') { [string] $domain.DnsForestName }
    }
}

# Reports whether Windows waits for a restart, for which it has two markers.
# Pending file renames do not count: programs leave such entries for months.
# Source: the PendingReboot resource of ComputerManagementDsc.
function Test-PendingReboot {
    [CmdletBinding()]
    param()

    $windows = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    return (Test-Path -Path "$windows\Component Based Servicing\RebootPending") -or
        (Test-Path -Path "$windows\WindowsUpdate\Auto Update\RebootRequired")
}

# Reports whether the FIPS policy is on, under which managed classes such as
# SHA256.Create() fail in .NET Framework. The scripts use none of these classes;
# the products may.
# Source: Microsoft, "System cryptography: Use FIPS compliant algorithms for
# encryption, hashing, and signing".
function Test-FipsPolicy {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'Enabled', 0) -ne 0
}

# Returns the mode of the Desired State Configuration manager, or an empty text
# when the manager does not respond, for example because it was removed.
function Get-ConfigurationMode {
    [CmdletBinding()]
    param()

    try {
        $current = Invoke-CimMethod -Namespace 'root/Microsoft/Windows/DesiredStateConfiguration' `
            -ClassName MSFT_DSCLocalConfigurationManager -MethodName GetMetaConfiguration
        return [string] $current.MetaConfiguration.ConfigurationMode
    }
    catch { return '' }
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '0')
}

# Returns the DNS domain, or an empty text in a workgroup and when this account may
# not read it.
function Get-DomainName {
    [CmdletBinding()]
    param()

    try { $system = Get-CimInstance -ClassName Win32_ComputerSystem }
    catch { return '' }
    if ($system.PartOfDomain) { return [string] $system.Domain }
    return ''
}

# Returns when the process of a service started, or null when none runs.
function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4', 'W3SVC', 'WAS')] [string] $Name)

    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'") {
        if ($service.ProcessId -eq 0) { continue }
        foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $($service.ProcessId)") {
            return $process.CreationDate
        }
    }
    return $null
}

# Returns when the oldest worker process of IIS started, or null when none runs.
function Get-WorkerStart {
    [CmdletBinding()]
    param()

    $oldest = $null
    foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "Name = 'w3wp.exe'") {
        if ($null -eq $oldest -or $process.CreationDate -lt $oldest) { $oldest = $process.CreationDate }
    }
    return $oldest
}

# Returns the version of the SharePoint program files, or null when there are none.
function Get-SharePointFileVersion {
    [CmdletBinding()]
    param()

    foreach ($hive in '16', '15') {
        $file = "$env:CommonProgramFiles\microsoft shared\Web Server Extensions\$hive\ISAPI\Microsoft.SharePoint.dll"
        if ([System.IO.File]::Exists($file)) {
            $version = [System.Diagnostics.FileVersionInfo]::GetVersionInfo($file)
            return New-Object System.Version $version.ProductMajorPart, $version.ProductMinorPart, $version.ProductBuildPart, $version.ProductPrivatePart
        }
    }
    return $null
}
