# The machine itself: who it is, what runs on it since when.

function Get-ComputerName {
    [CmdletBinding()]
    param()

    return [Environment]::MachineName
}

# The account that this runs as, as DOMAIN\name.
function Get-AccountName {
    [CmdletBinding()]
    param()

    return [Environment]::UserDomainName + '\' + [Environment]::UserName
}

# The machine's own clock, UTC: what its services and files are dated by.
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

# The forest's name; empty when no domain controller answers this account.
function Get-ForestName {
    [CmdletBinding()]
    param()

    try { return [string] [System.DirectoryServices.ActiveDirectory.Domain]::GetComputerDomain().Forest.Name }
    catch { return '' }
}

# Two places say that Windows waits for a restart. Renames that are pending do
# not count: programs leave such entries for months.
# Source: the PendingReboot resource of ComputerManagementDsc.
function Test-PendingReboot {
    [CmdletBinding()]
    param()

    $windows = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion'
    return (Test-Path -Path "$windows\Component Based Servicing\RebootPending") -or
        (Test-Path -Path "$windows\WindowsUpdate\Auto Update\RebootRequired")
}

# Whether Windows is told to use validated cryptography only, which takes
# managed classes such as SHA256.Create() from .NET Framework. The scripts use
# none of them; the products may.
# Source: Microsoft, "System cryptography: Use FIPS compliant algorithms for
# encryption, hashing, and signing".
function Test-FipsPolicy {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Control\Lsa\FipsAlgorithmPolicy'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'Enabled', 0) -ne 0
}

# The mode of the Desired State Configuration manager; empty when it does not
# answer, as where it was removed.
function Get-ConfigurationMode {
    [CmdletBinding()]
    param()

    try {
        $answer = Invoke-CimMethod -Namespace 'root/Microsoft/Windows/DesiredStateConfiguration' `
            -ClassName MSFT_DSCLocalConfigurationManager -MethodName GetMetaConfiguration
        return [string] $answer.MetaConfiguration.ConfigurationMode
    }
    catch { return '' }
}

function Get-WindowsBuild {
    [CmdletBinding()]
    param()

    $key = 'HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
    return [int] [Microsoft.Win32.Registry]::GetValue($key, 'CurrentBuildNumber', '0')
}

# The DNS domain; empty in a workgroup, and where this account may not ask.
function Get-DomainName {
    [CmdletBinding()]
    param()

    try { $system = Get-CimInstance -ClassName Win32_ComputerSystem }
    catch { return '' }
    if ($system.PartOfDomain) { return [string] $system.Domain }
    return ''
}

# When the process of a service started; null when none runs.
function Get-ServiceStart {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidateSet('WACSM', 'SPTimerV4')] [string] $Name)

    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "Name = '$Name'") {
        if ($service.ProcessId -eq 0) { continue }
        foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "ProcessId = $($service.ProcessId)") {
            return $process.CreationDate
        }
    }
    return $null
}

# When the oldest worker process of IIS started; null when none runs.
function Get-WorkerStart {
    [CmdletBinding()]
    param()

    $oldest = $null
    foreach ($process in Get-CimInstance -ClassName Win32_Process -Filter "Name = 'w3wp.exe'") {
        if ($null -eq $oldest -or $process.CreationDate -lt $oldest) { $oldest = $process.CreationDate }
    }
    return $oldest
}

# The version of the SharePoint program files; null when there are none.
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
